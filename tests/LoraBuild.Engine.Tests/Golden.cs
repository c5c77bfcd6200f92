// Finds the reference data of these tests in the repository, and makes variants of it in temporary directories.
namespace LoraBuild.Engine.Tests;

/// <summary>Paths under <c>tests/LoraBuild.Engine.Tests/golden</c>. What the files hold and how far results may differ is described in golden/README.md.</summary>
internal static class Golden
{
    /// <summary>Absolute path of the golden directory.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A Hugging Face model directory with its expected outputs (golden.safetensors, golden.json).</summary>
    public static string Model(string name) => Existing(Path.Combine(Root, "models", name));

    /// <summary>A reference training run: adapter_init, batches, every step's numbers, adapter_final.</summary>
    public static string Lora(string name) => Existing(Path.Combine(Root, "lora", name));

    /// <summary>A copy of a golden model whose config.json is another of its layouts (config.v4.json).</summary>
    public static TemporaryDirectory ModelWithConfig(string name, string configFile)
    {
        TemporaryDirectory copy = CopyOfModel(name);
        File.Copy(Path.Combine(Model(name), configFile), Path.Combine(copy.Path, "config.json"), overwrite: true);
        return copy;
    }

    public static TemporaryDirectory CopyOfModel(string name)
    {
        TemporaryDirectory copy = new();
        foreach (string file in Directory.EnumerateFiles(Model(name)))
            File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
        return copy;
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            string candidate = Path.Combine(directory.FullName, "tests", "LoraBuild.Engine.Tests", "golden");
            if (Directory.Exists(candidate))
                return candidate;
        }

        throw new DirectoryNotFoundException($"no tests/LoraBuild.Engine.Tests/golden above {AppContext.BaseDirectory}");
    }

    private static string Existing(string path) =>
        Directory.Exists(path) ? path : throw new DirectoryNotFoundException($"golden data {path} is not in the repository");
}

/// <summary>A directory that is removed with its content at the end of a test.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("lorabuild-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
