// Where the golden files of the format tests stand, and a folder that goes away after a test.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tests.Formats;

internal static class FormatsGolden
{
    public static string Root { get; } = Find();

    public static string File(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string golden = Path.Combine(directory.FullName, "tests", "LoraBuild.Core.Tests", "golden", "formats");
            if (Directory.Exists(golden))
                return golden;
        }

        throw new DirectoryNotFoundException("tests/LoraBuild.Core.Tests/golden/formats above the test's folder");
    }
}

internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("lorabuild-formats-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Write(string name, byte[] bytes)
    {
        System.IO.File.WriteAllBytes(File(name), bytes);
        return File(name);
    }

    public string Write(string name, string text)
    {
        System.IO.File.WriteAllText(File(name), text);
        return File(name);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

internal static class Expect
{
    /// <summary>The single error of a failing call.</summary>
    public static Diagnostic Diagnostic(string code, Action action)
    {
        Diagnostic diagnostic = Assert.Throws<DiagnosticException>(action).Diagnostics[0];
        Assert.Equal(code, diagnostic.Code);
        Assert.NotEmpty(diagnostic.Message);
        return diagnostic;
    }
}
