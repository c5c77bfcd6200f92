// OpenBLAS's kernels for processors that it does not know.
using System.Runtime.InteropServices;
using LoraBuild.Torch.Native;

namespace LoraBuild.Torch.Tests.Interop;

public sealed class OpenBlasCoreTests
{
    [Theory]
    [InlineData("AuthenticAMD", true, "SkylakeX")]
    [InlineData("AuthenticAMD", false, null)]
    [InlineData("GenuineIntel", true, null)]
    [InlineData("GenuineIntel", false, null)]
    public void Only_where_its_own_choice_is_wrong_another_is_asked_for(string vendor, bool hasAvx512, string? core) => Assert.Equal(core, OpenBlasCore.Choose(vendor, hasAvx512));

    [Fact]
    public void The_vendor_is_twelve_letters()
    {
        if (System.Runtime.Intrinsics.X86.X86Base.IsSupported)
            Assert.Matches("^[A-Za-z ]{12}$", OpenBlasCore.Vendor());
    }

    [Fact]
    public void The_variable_reaches_native_libraries_before_libtorch_is_there()
    {
        _ = NativeRuntime.LibtorchVersion;
        if (OpenBlasCore.ChosenHere is null)
            return;
        GetEnvironment read = Marshal.GetDelegateForFunctionPointer<GetEnvironment>(NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "getenv"));
        Assert.NotNull(Marshal.PtrToStringUTF8(read("OPENBLAS_CORETYPE")));
    }

    private delegate nint GetEnvironment([MarshalAs(UnmanagedType.LPUTF8Str)] string name);
}
