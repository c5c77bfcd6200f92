// Finds liblorabuild_torch.so beside the assembly, and sets up libtorch once it is loaded.
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace LoraBuild.Torch.Native;

/// <summary>Loads the native library. A failure lists what was tried and the command that mends it.</summary>
internal static class NativeLoader
{
    private const string FileName = "liblorabuild_torch.so";
    // The runtime asks at the first call of every single function; library and settings are taken once.
    private static readonly Lazy<nint> Library = new(LoadAndSetUp);
    private static int _isInstalled;

    internal static void Install()
    {
        if (Interlocked.Exchange(ref _isInstalled, 1) != 0) return;
        NativeLibrary.SetDllImportResolver(typeof(NativeLoader).Assembly, Resolve);
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) => name == NativeMethods.Library ? Library.Value : 0;

    private static nint LoadAndSetUp()
    {
        OpenMPWaiting.Limit();
        nint library = Load(Candidates(typeof(NativeLoader).Assembly));

        // Debian's libtorch starts with one thread. The functions are called by their addresses: P/Invoke would come back to this resolver.
        unsafe
        {
            var setThreads = (delegate* unmanaged[Cdecl]<int, int>)NativeLibrary.GetExport(library, "lb_set_num_threads");
            _ = setThreads(Environment.ProcessorCount);
            // Before the first tensor is made.
            var installAllocator = (delegate* unmanaged[Cdecl]<int>)NativeLibrary.GetExport(library, "lb_allocator_install");
            _ = installAllocator();
        }

        return library;
    }

    private static IEnumerable<string> Candidates(Assembly assembly)
    {
        string beside = Path.GetDirectoryName(assembly.Location);
        if (!string.IsNullOrEmpty(beside)) yield return Path.Combine(beside, FileName);
        string application = Path.Combine(AppContext.BaseDirectory, FileName);
        if (application != Path.Combine(beside ?? string.Empty, FileName)) yield return application;
    }

    /// <exception cref="DllNotFoundException">None of the files could be loaded.</exception>
    internal static nint Load(IEnumerable<string> candidates)
    {
        var tried = new StringBuilder();
        foreach (string path in candidates)
        {
            if (!File.Exists(path))
            {
                tried.Append("\n  ").Append(path).Append(": not there");
                continue;
            }

            try
            {
                return NativeLibrary.Load(path);
            }
            catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
            {
                tried.Append("\n  ").Append(path).Append(": ").Append(error.Message.ReplaceLineEndings(" "));
            }
        }

        throw new DllNotFoundException(
            $"the native library {FileName} could not be loaded. Tried:{tried}\n"
            + "Build it with: dotnet build src/LoraBuild.Torch. If libtorch itself is missing: apt-get install -y libtorch-dev libopenblas0-openmp, "
            + "or build with LIBTORCH=DIR for another libtorch.");
    }
}
