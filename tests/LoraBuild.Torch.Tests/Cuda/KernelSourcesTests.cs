// The CUDA kernels' own sources, compiled for the processor with a stand-in for the CUDA runtime, against the formulas in double.
using System.Diagnostics;

namespace LoraBuild.Torch.Tests.Cuda;

public sealed class KernelSourcesTests
{
    /// <summary>Needs the compiler that built the native library, no GPU. What a GPU alone shows (speed, races, the launch itself) is not seen here.</summary>
    [Fact]
    public void The_kernels_compute_on_the_processor_what_their_formulas_say()
    {
        string root = RepositoryRoot();
        string sources = Path.Combine(root, "tests", "LoraBuild.Torch.Tests", "Cuda");
        string kernels = Path.Combine(root, "src", "LoraBuild.Torch", "native", "kernels", "cuda");
        DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-kernels-");
        try
        {
            string program = Path.Combine(directory.FullName, "check");
            (int compiled, string complaints) = Run(
                "c++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-DLB_CUDA_STAND_IN=\"stand_in.h\"", "-I" + sources, "-I" + kernels, Path.Combine(sources, "check.cpp"), "-o", program);
            Assert.True(compiled == 0, complaints);
            (int status, string report) = Run(program);
            Assert.True(status == 0, report);
            Assert.EndsWith(" checks, 0 failures\n", report, StringComparison.Ordinal);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static string RepositoryRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "LoraBuild.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("LoraBuild.sln is not above the tests.");
    }

    private static (int Status, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }
}
