// Telling the BLAS by the mapped files, for each variant that Debian has.
using LoraBuild.Torch.Native;

namespace LoraBuild.Torch.Tests.Interop;

public sealed class BlasLibraryTests
{
    private static BlasLibrary Of(string path) => BlasLibrary.Find([$"7f00-7f01 r-xp 00000000 08:01 1 {path}", "7f02-7f03 rw-p 00000000 00:00 0"], string.Empty);

    [Theory]
    [InlineData("/usr/lib/x86_64-linux-gnu/openblas-openmp/libblas.so.3", "OpenBLAS (openmp)", true, null)]
    [InlineData("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3", "OpenBLAS (pthread)", true, "LB0853")]
    [InlineData("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", "reference BLAS", false, "LB0852")]
    [InlineData("/opt/intel/libmkl_core.so.2", "MKL", true, null)]
    public void A_library_is_told_by_its_path(string path, string name, bool isOptimised, string? code)
    {
        BlasLibrary found = Of(path);
        Assert.Equal(name, found.Name);
        Assert.Equal(isOptimised, found.IsOptimised);
        Assert.Equal(code, found.WarningCode);
        Assert.Equal(code is null, found.Warning is null);
    }

    [Fact]
    public void The_loaded_one_is_found()
    {
        Assert.True(NativeRuntime.BlasIsOptimised, NativeRuntime.BlasWarning ?? NativeRuntime.BlasName);
        Assert.NotEmpty(NativeRuntime.LibtorchVersion);
        Assert.True(NativeRuntime.PeakResidentBytes >= NativeRuntime.ResidentBytes / 2);
    }

    [Fact]
    public void A_library_that_cannot_be_loaded_names_what_was_tried_and_the_mend()
    {
        string broken = Path.GetTempFileName();
        try
        {
            var error = Assert.Throws<DllNotFoundException>(() => NativeLoader.Load(["/nowhere/liblorabuild_torch.so", broken]));
            Assert.StartsWith("the native library", error.Message, StringComparison.Ordinal);
            Assert.Contains("/nowhere/liblorabuild_torch.so: not there", error.Message, StringComparison.Ordinal);
            Assert.Contains(broken, error.Message, StringComparison.Ordinal);
            Assert.Contains("apt-get install", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(broken);
        }
    }
}
