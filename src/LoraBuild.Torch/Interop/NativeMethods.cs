// The name of the shared library; the functions are in the other parts of this class, one part a C++ file.
namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    internal const string Library = "lorabuild_torch";

    // The loader has to know where the library lies before the first call.
    static NativeMethods() => NativeLoader.Install();
}
