// Which of OpenBLAS's sets of kernels fits a processor that OpenBLAS itself does not know.
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace LoraBuild.Torch.Native;

/// <summary>
/// OpenBLAS picks kernels by the processor's name, not by what it can do: 0.3.21 (Debian 12) takes AMD's processors with AVX-512 for Haswells, and matrix
/// products run at half the rate. Its documented variable OPENBLAS_CORETYPE overrides the choice; OpenBLAS reads it once, while it is loaded.
/// </summary>
internal static partial class OpenBlasCore
{
    private const string Variable = "OPENBLAS_CORETYPE";

    /// <summary>The kernels to ask for; null: OpenBLAS's own choice is right.</summary>
    /// <param name="vendor">As the processor gives it: "AuthenticAMD", "GenuineIntel".</param>
    /// <param name="hasAvx512">AVX-512 F, BW, DQ, VL and CD.</param>
    internal static string Choose(string vendor, bool hasAvx512) => vendor == "AuthenticAMD" && hasAvx512 ? "SkylakeX" : null;

    /// <summary>What <see cref="Choose"/> says of this processor.</summary>
    internal static string ChosenHere => OperatingSystem.IsLinux() && X86Base.IsSupported
        ? Choose(Vendor(), Avx512F.VL.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512CD.IsSupported)
        : null;

    /// <summary>Sets the variable for this process unless it is set already. It must come before libtorch is loaded.</summary>
    internal static void Set()
    {
        if (ChosenHere is string core) _ = setenv(Variable, core, 0);
    }

    internal static string Vendor()
    {
        (_, int b, int c, int d) = X86Base.CpuId(0, 0);
        Span<int> words = [b, d, c];
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(words));
    }

    // .NET's own copy of the environment is not what native libraries see.
    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrites);
}
