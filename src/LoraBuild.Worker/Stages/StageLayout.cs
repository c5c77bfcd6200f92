// Where everything of a pipeline stands. Nothing else composes these paths; Sdk.targets names the same ones.
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

/// <summary>The pipeline's directory: one directory a stage, each with its manifest; <c>obj/</c> holds what can be computed again.</summary>
public sealed class StageLayout(string root)
{
    public const string ManifestName = "stage.json";

    public string Root { get; } = root;

    public string Dataset => In("dataset");

    public string Tokens => In("tokens");

    public string Audit => In("audit.json");

    public string Adapter => In("adapter");

    public string Checkpoints => In("checkpoints");

    public string Metrics => In("metrics.jsonl");

    public string Evaluation => In("evaluation.json");

    public string Samples => In("samples.md");

    public string Merged => In("merged");

    public string Gguf => In("gguf");

    public string State => In("obj");

    public string HashCache => Path.Combine(State, "hashes.json");

    public string LockFile => Path.Combine(State, "lock");

    public static IReadOnlyList<Stage> Order { get; } = [Stage.Prepare, Stage.Template, Stage.Train, Stage.Evaluate, Stage.Merge, Stage.Export];

    public static string VerbOf(Stage stage) => stage switch
    {
        Stage.Prepare => "prepare",
        Stage.Template => "template",
        Stage.Train => "train",
        Stage.Evaluate => "evaluate",
        Stage.Merge => "merge",
        _ => "export-gguf",
    };

    /// <summary>The stages whose outputs <paramref name="stage"/> reads.</summary>
    public static IReadOnlyList<Stage> PredecessorsOf(Stage stage) => stage switch
    {
        Stage.Prepare => [],
        Stage.Template => [Stage.Prepare],
        Stage.Train => [Stage.Template],
        Stage.Evaluate => [Stage.Template, Stage.Train],
        Stage.Merge => [Stage.Train],
        _ => [Stage.Merge],
    };

    /// <summary>Written last: a stage without it has not been finished.</summary>
    public string Manifest(Stage stage) => stage switch
    {
        Stage.Prepare => Path.Combine(Dataset, ManifestName),
        Stage.Template => Path.Combine(Tokens, ManifestName),
        Stage.Train => Path.Combine(Adapter, ManifestName),
        Stage.Evaluate => In("evaluation.stage.json"),
        Stage.Merge => Path.Combine(Merged, ManifestName),
        _ => Path.Combine(Gguf, ManifestName),
    };

    public string Fingerprint(Stage stage) => Path.Combine(State, VerbOf(stage) + ".fingerprint");

    /// <summary>Where a stage writes before its outputs get their names; on the same volume, so that a rename suffices.</summary>
    public string Work(Stage stage) => Path.Combine(State, VerbOf(stage) + ".tmp");

    /// <summary>What a stage writes: directories and files that are replaced as a whole.</summary>
    public IReadOnlyList<string> Outputs(Stage stage) => stage switch
    {
        Stage.Prepare => [Dataset],
        Stage.Template => [Tokens, Audit],
        Stage.Train => [Adapter],
        Stage.Evaluate => [Evaluation, Samples],
        Stage.Merge => [Merged],
        _ => [Gguf],
    };

    /// <summary>The files of <see cref="Outputs"/> that exist, relative to <see cref="Root"/> with forward slashes, sorted; manifests are left out.</summary>
    public IReadOnlyList<string> OutputFiles(Stage stage)
    {
        List<string> files = [];
        foreach (string output in Outputs(stage))
        {
            if (File.Exists(output))
                files.Add(output);
            else if (Directory.Exists(output))
                files.AddRange(Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories));
        }

        return [.. files
            .Where(f => f != Manifest(stage))
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Order(StringComparer.Ordinal)];
    }

    private string In(string name) => Path.Combine(Root, name);
}
