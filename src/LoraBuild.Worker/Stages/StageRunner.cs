// Runs one stage so that at no moment anything unfinished has its final name.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Stages;

/// <summary>What a stage gets to work with.</summary>
/// <param name="Work">An empty directory; what stands in it at the end under a name of <see cref="StageLayout.Outputs"/> becomes the stage's output.</param>
/// <param name="State">What the stage is made from now.</param>
/// <param name="Hash">SHA-256 of a file.</param>
public sealed record StageWork(Recipe Recipe, StageLayout Layout, IReadOnlyList<string> ModelCaches, string Work, StageState State, Func<string, string> Hash, IReporter Reporter, CancellationToken Cancellation)
{
    /// <summary>Of everything that decides the stage's outputs.</summary>
    public string Fingerprint => State.Fingerprint;

    /// <summary>Whether what evaluating measured is one of this stage's inputs: it is of the adapter and the tokens that stand here now.</summary>
    public bool HasEvaluation => State.Inputs.TryGetValue(StageInputs.Evaluation, out string? hash) && hash != StageInputs.Missing;

    /// <summary>The base model: its directory and, where it comes from a hub's cache, its id, revision and commit.</summary>
    /// <exception cref="DiagnosticException">LB005x: it is nowhere; with the command that fetches it.</exception>
    public LocatedModel LocatedBase() => BaseModelLocator.Locate(Recipe.Base.Model, ModelCaches, Recipe.PlaceOf("base.model"), StageInputs.BaseContent(Recipe));

    /// <summary>The directory of the base model.</summary>
    /// <exception cref="DiagnosticException">LB005x: it is nowhere.</exception>
    public string BaseModel() => LocatedBase().Directory;

    /// <summary>The directory of the tokenizer: the model's own unless the recipe names another.</summary>
    /// <exception cref="DiagnosticException">LB005x: it is nowhere.</exception>
    public string TokenizerDirectory() => Recipe.Base.Tokenizer is { } tokenizer
        ? BaseModelLocator.Locate(tokenizer, ModelCaches, Recipe.PlaceOf("base.tokenizer"), ModelContent.Tokenizer).Directory
        : BaseModelLocator.Locate(Recipe.Base.Model, ModelCaches, Recipe.PlaceOf("base.model"), ModelContent.Shape).Directory;

    /// <summary>The place in <see cref="Work"/> of an output.</summary>
    public string At(string output) => Path.Combine(Work, Path.GetRelativePath(Layout.Root, output));
}

public sealed class StageRunner(Recipe recipe, StageLayout layout, IReadOnlyList<string> modelCaches, IReporter reporter, CancellationToken cancellation)
{
    /// <summary>Does the stage's work unless its outputs are what it would make.</summary>
    /// <param name="isForced">Work although nothing changed.</param>
    /// <param name="work">The stage. It throws, or reports an error, when it cannot be done.</param>
    /// <returns>False when there was nothing to do.</returns>
    public bool Run(Stage stage, bool isForced, Action<StageWork> work) => Run(stage, isForced, isToldWhenUpToDate: true, work);

    private bool Run(Stage stage, bool isForced, bool isToldWhenUpToDate, Action<StageWork> work)
    {
        using StageLock taken = StageLock.Take(layout, reporter, cancellation);
        PipelineState pipeline = new(recipe, layout, modelCaches);
        StageState state = pipeline.Of(stage);
        state.WriteFingerprint(layout);
        bool hasToRun = isForced || !state.IsUpToDate;
        if (hasToRun)
            Do(stage, state, pipeline, work);
        else if (isToldWhenUpToDate)
            reporter.Message($"{StageLayout.VerbOf(stage)}: up to date");
        else
            return false;

        // The stages after this one read its outputs; a build looks at their fingerprint files next.
        pipeline.WriteFingerprints();
        reporter.Result(new JsonObject
        {
            ["stage"] = StageLayout.VerbOf(stage),
            ["up_to_date"] = !hasToRun,
            ["outputs"] = new JsonArray([.. layout.OutputFiles(stage).Select(f => (JsonNode)f)]),
        });
        return hasToRun;
    }

    /// <summary>Brings a stage that another one needs up to date. Outputs that this program did not make are taken as they are.</summary>
    public void RunIfNeeded(Stage stage, Action<StageWork> work)
    {
        bool isOurs = File.Exists(layout.Manifest(stage)) || File.Exists(layout.Fingerprint(stage));
        if (isOurs || layout.OutputFiles(stage).Count == 0)
            Run(stage, isForced: false, isToldWhenUpToDate: false, work);
    }

    private void Do(Stage stage, StageState state, PipelineState pipeline, Action<StageWork> work)
    {
        Directory.CreateDirectory(layout.Manifests);
        File.Delete(layout.Manifest(stage));
        string directory = layout.Work(stage);
        Remove(directory);
        Directory.CreateDirectory(directory);
        DiagnosticBag bag = new(reporter);
        StageWork given = new(recipe, layout, modelCaches, directory, state, pipeline.Hash, new CountingReporter(reporter, bag), cancellation);
        work(given);
        bag.ThrowIfErrors();
        cancellation.ThrowIfCancellationRequested();

        foreach (string output in layout.Outputs(stage))
            Replace(output, given.At(output));
        Remove(directory);

        Dictionary<string, OutputContent> outputs = [];
        foreach (string file in layout.OutputFiles(stage))
        {
            string path = Path.Combine(layout.Root, file);
            outputs[file] = new OutputContent(pipeline.Hash(path), new FileInfo(path).Length);
        }

        new StageManifest(StageLayout.VerbOf(stage), state.Fingerprint, ToolVersion.Current, state.Recipe, state.Inputs, HubModelOf(given), outputs).Write(layout.Manifest(stage));
    }

    private static HubModel? HubModelOf(StageWork work) =>
        work.State.Inputs.ContainsKey("base/config.json") && work.LocatedBase() is { Id: { } id, Commit: { } commit } model ? new HubModel(id, model.Revision, commit) : null;

    /// <summary>Gives what the stage made its name. What it did not make in its work directory (the trainer replaces its own directory) stays.</summary>
    private static void Replace(string output, string made)
    {
        if (Directory.Exists(made))
        {
            string old = output + ".old";
            Remove(old);
            if (Directory.Exists(output))
                Directory.Move(output, old);
            Directory.Move(made, output);
            Remove(old);
        }
        else if (File.Exists(made))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(output)!);
            File.Move(made, output, overwrite: true);
        }
    }

    private static void Remove(string directory)
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }

    /// <summary>Passes everything on and remembers errors, also warnings that are to be errors, so that a stage that reported one is not finished.</summary>
    private sealed class CountingReporter(IReporter inner, DiagnosticBag bag) : IReporter
    {
        public bool HasErrors => bag.HasErrors;

        public WarningPolicy Warnings => inner.Warnings;

        public bool IsLive => inner.IsLive;

        public void Report(Diagnostic diagnostic)
        {
            if (Warnings.Apply(diagnostic) is { } told)
                bag.Report(told);
        }

        public void Message(string text) => inner.Message(text);

        public void Progress(string text, JsonObject values) => inner.Progress(text, values);

        public void Result(JsonObject values) => inner.Result(values);
    }
}
