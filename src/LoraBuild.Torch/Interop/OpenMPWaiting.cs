// How long OpenMP's threads wait awake for their next work.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

/// <summary>
/// A step is thousands of short parallel loops. GNU's libgomp lets a thread that has none spin for milliseconds, which takes the core from whoever shares the machine, the thread it waits for among
/// them: two trainings at once on two cores then run at a quarter of the speed each. Some twenty microseconds of spinning bridge the gaps inside of a step; after that the thread sleeps.
/// </summary>
internal static partial class OpenMPWaiting
{
    private const string SpinCount = "GOMP_SPINCOUNT";
    private const string Policy = "OMP_WAIT_POLICY";
    private const string Spins = "1000";

    /// <summary>Has an effect before libgomp is loaded, which reads the variable once. What the user has set stays.</summary>
    internal static void Limit()
    {
        if (OperatingSystem.IsLinux()) Limit(Environment.GetEnvironmentVariable, (name, value) => _ = setenv(name, value, 0));
    }

    /// <param name="write">To the environment that native code sees, which is not the runtime's copy.</param>
    internal static void Limit(Func<string, string> read, Action<string, string> write)
    {
        if (string.IsNullOrEmpty(read(SpinCount)) && string.IsNullOrEmpty(read(Policy))) write(SpinCount, Spins);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
