// Where everything of a pipeline stands. Nothing else composes these paths; Sdk.targets names the same ones.
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

/// <summary>The pipeline's directory: one directory a stage; <c>stages/</c> holds the manifests, <c>obj/</c> holds what can be computed again.</summary>
public sealed class StageLayout(string root)
{
    public string Root { get; } = root;

    public string Dataset => In("dataset");

    public string Tokens => In("tokens");

    public string Audit => In("audit.json");

    public string Adapter => In("adapter");

    /// <summary>The trained weights after full fine-tuning, in place of <see cref="Adapter"/>.</summary>
    public string Model => In("model");

    public string Checkpoints => In("checkpoints");

    public string Metrics => In("metrics.jsonl");

    /// <summary>Answers to the sample questions at each evaluation of a training run.</summary>
    public string TrainingSamples => In("samples.jsonl");

    /// <summary>TensorBoard's event files.</summary>
    public string TensorBoard => In("tensorboard");

    /// <summary>What the stage evaluate measured: base and adapter.</summary>
    public string Evaluation => In("evaluations/trained.json");

    /// <summary>What merging measured on the re-read merged model.</summary>
    public string MergedEvaluation => In("evaluations/merged.json");

    /// <summary>What exporting measured on the re-read files.</summary>
    public string GgufEvaluation => In("evaluations/gguf.json");

    /// <summary>evaluation.json: the three above in one, put together from those of the stages that are up to date. No stage's output: it grows when a later stage is done, and nothing may become stale by that.</summary>
    public string EvaluationReport => In("evaluation.json");

    public string Samples => In("samples.md");

    public string Merged => In("merged");

    public string Gguf => In("gguf");

    public string Manifests => In("stages");

    public string State => In("obj");

    /// <summary>The base model's weights as codes, mapped by the stages that use it.</summary>
    public string Quantized => Path.Combine(State, "quantized");

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

    /// <summary>Written last: a stage without it has not been finished. All stand in one place, so that the output directories hold nothing but what other programs expect there.</summary>
    public string Manifest(Stage stage) => Path.Combine(Manifests, VerbOf(stage) + ".json");

    public string Fingerprint(Stage stage) => Path.Combine(State, VerbOf(stage) + ".fingerprint");

    /// <summary>Where a stage writes before its outputs get their names; on the same volume, so that a rename suffices.</summary>
    public string Work(Stage stage) => Path.Combine(State, VerbOf(stage) + ".tmp");

    /// <summary>What a stage writes: directories and files that are replaced as a whole.</summary>
    public IReadOnlyList<string> Outputs(Stage stage) => stage switch
    {
        Stage.Prepare => [Dataset],
        Stage.Template => [Tokens, Audit],
        Stage.Train => [Adapter, Model],
        Stage.Evaluate => [Evaluation, Samples],
        Stage.Merge => [Merged, MergedEvaluation],
        _ => [Gguf, GgufEvaluation],
    };

    /// <summary>The files of <see cref="Outputs"/> that exist, relative to <see cref="Root"/> with forward slashes, sorted.</summary>
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
            .Select(f => Path.GetRelativePath(Root, f).Replace('\\', '/'))
            .Order(StringComparer.Ordinal)];
    }

    private string In(string name) => Path.Combine(Root, name);
}
