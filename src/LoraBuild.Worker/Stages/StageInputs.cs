// Which files a stage reads, under names that do not depend on where they stand.
using LoraBuild.Core.Cards;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Worker.Stages;

/// <summary>The content that decides a stage's outputs, beside the recipe's keys and the tool.</summary>
/// <param name="recipe">The recipe after overrides.</param>
/// <param name="modelCaches">Where a hub id is looked for.</param>
public sealed class StageInputs(Recipe recipe, StageLayout layout, IReadOnlyList<string> modelCaches, ContentHasher hasher)
{
    /// <summary>The files of a directory that make its tokenizer.</summary>
    public static IReadOnlyList<string> TokenizerFiles { get; } = [.. Tokenizer.FileNames, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json"];

    /// <summary>What training reads of the base model.</summary>
    public static ModelContent BaseContent(Recipe recipe) => recipe.Base.Weights == "random" ? ModelContent.Shape : ModelContent.Weights;

    /// <summary>Stands for content that is not there; the stage itself says what is wrong when it runs.</summary>
    public const string Missing = "missing";

    /// <summary>The name under which the figures of the model card are an input of merging.</summary>
    public const string Evaluation = "evaluations/trained.json";

    /// <summary>What is wrong with a source is told by the stage that reads it.</summary>
    private static readonly DiagnosticBag NoDiagnostics = new();

    /// <returns>Name to SHA-256, or to <c>missing</c>.</returns>
    public SortedDictionary<string, string> Of(Stage stage)
    {
        SortedDictionary<string, string> inputs = new(StringComparer.Ordinal);
        switch (stage)
        {
            case Stage.Prepare:
                AddSources(inputs, _ => true);
                break;
            case Stage.Template:
                AddOutputs(inputs, Stage.Prepare);
                AddSources(inputs, source => source.Format == "tokens");
                AddTokenizer(inputs);
                AddChatTemplate(inputs);
                break;
            case Stage.Train:
                AddOutputs(inputs, Stage.Template);
                AddModel(inputs);
                if (recipe.Adapter.InitFrom is { } adapter)
                    AddDirectory(inputs, "init_from", adapter);
                break;
            case Stage.Evaluate:
                AddOutputs(inputs, Stage.Template);
                AddOutputs(inputs, Stage.Train);
                AddModel(inputs);
                AddTokenizer(inputs);
                AddChatTemplate(inputs);
                if (recipe.Evaluate.Prompts.Count == 0)
                    AddFile(inputs, "dataset/eval.jsonl", Path.Combine(layout.Dataset, "eval.jsonl"));
                break;
            case Stage.Merge:
                AddEvaluation(inputs);
                AddHeldOut(inputs);
                AddOutputs(inputs, Stage.Train);
                AddModel(inputs);
                AddTokenizer(inputs);
                AddChatTemplate(inputs);
                break;
            default:
                AddHeldOut(inputs);
                AddOutputs(inputs, Stage.Merge);
                break;
        }

        return inputs;
    }

    private void AddSources(SortedDictionary<string, string> inputs, Func<DatasetSource, bool> isRead)
    {
        AddSources(inputs, "source", recipe.Dataset.Sources, isRead);
        AddSources(inputs, "eval_source", recipe.Dataset.Split.EvalSources, isRead);
    }

    private void AddSources(SortedDictionary<string, string> inputs, string kind, IReadOnlyList<DatasetSource> sources, Func<DatasetSource, bool> isRead)
    {
        for (int i = 0; i < sources.Count; i++)
        {
            if (!isRead(sources[i]))
                continue;
            IReadOnlyList<string> files = SourceFiles.Expand(sources[i], NoDiagnostics);
            if (files.Count == 0)
                inputs[$"{kind}/{i}/"] = Missing;

            // By number: two files of a glob may have the same name in different folders.
            for (int file = 0; file < files.Count; file++)
                AddFile(inputs, $"{kind}/{i}/{file}/{Path.GetFileName(files[file])}", files[file]);
        }
    }

    private void AddOutputs(SortedDictionary<string, string> inputs, Stage stage)
    {
        IReadOnlyList<string> files = layout.OutputFiles(stage).Where(IsReadByOthers).ToList();
        if (files.Count == 0)
            inputs[$"{StageLayout.VerbOf(stage)}/"] = Missing;
        foreach (string file in files)
            AddFile(inputs, file, Path.Combine(layout.Root, file));
    }

    /// <summary>Reports and model cards are for people: a count that changes in one makes no later stage stale.</summary>
    private static bool IsReadByOthers(string relativePath) => relativePath is not ("dataset/report.json" or "audit.json") && Path.GetFileName(relativePath) != ModelCard.FileName;

    /// <summary>
    /// For the card of merged/, and only where the evaluation that is there is of what stands here now: merging does not wait for an evaluation (there may be
    /// nothing to evaluate on), but does not print the figures of another adapter either.
    /// </summary>
    private void AddEvaluation(SortedDictionary<string, string> inputs)
    {
        StageState evaluation = StageState.Of(Stage.Evaluate, recipe, layout, this);
        bool isOfThis = evaluation is { Finished: not null, HasItsOutputs: true } && DecideFigures(evaluation.Inputs).SequenceEqual(DecideFigures(evaluation.Finished.Inputs));
        inputs[Evaluation] = isOfThis ? hasher.Hash(layout.Evaluation) : Missing;
    }

    /// <summary>Perplexities come from tokens and weights; questions and their template only make samples.md.</summary>
    private static IEnumerable<KeyValuePair<string, string>> DecideFigures(IReadOnlyDictionary<string, string> evaluated) =>
        evaluated.Where(i => i.Key.Split('/')[0] is "tokens" or "base" or "adapter" or "model").OrderBy(i => i.Key, StringComparer.Ordinal);

    /// <summary>The gates of merging and exporting measure on these tokens.</summary>
    private void AddHeldOut(SortedDictionary<string, string> inputs) => AddFile(inputs, "tokens/eval.safetensors", Path.Combine(layout.Tokens, "eval.safetensors"));

    private void AddModel(SortedDictionary<string, string> inputs)
    {
        if (Locate(recipe.Base.Model, BaseContent(recipe)) is not { } directory)
        {
            inputs["base/"] = Missing;
            return;
        }

        AddFile(inputs, "base/config.json", Path.Combine(directory, "config.json"));
        AddFile(inputs, "base/generation_config.json", Path.Combine(directory, "generation_config.json"));
        foreach (string file in Directory.EnumerateFiles(directory, "*.safetensors*").Order(StringComparer.Ordinal))
            AddFile(inputs, "base/" + Path.GetFileName(file), file);
    }

    private void AddTokenizer(SortedDictionary<string, string> inputs)
    {
        if (Locate(recipe.Base.Tokenizer ?? recipe.Base.Model, ModelContent.Tokenizer) is not { } directory)
        {
            inputs["tokenizer/"] = Missing;
            return;
        }

        foreach (string name in TokenizerFiles.Union(Tokenizer.FileNames))
        {
            if (File.Exists(Path.Combine(directory, name)))
                AddFile(inputs, "tokenizer/" + name, Path.Combine(directory, name));
        }
    }

    private void AddChatTemplate(SortedDictionary<string, string> inputs)
    {
        string template = recipe.Template.ChatTemplate;
        if (template.StartsWith("model:", StringComparison.Ordinal))
        {
            foreach (string name in new[] { "tokenizer_config.json", "chat_template.jinja" })
            {
                string file = Path.Combine(template["model:".Length..], name);
                if (File.Exists(file))
                    AddFile(inputs, "template/" + name, file);
            }
        }
        else if (Path.IsPathRooted(template))
        {
            AddFile(inputs, "template/" + Path.GetFileName(template), template);
        }
    }

    private void AddDirectory(SortedDictionary<string, string> inputs, string name, string directory)
    {
        if (!Directory.Exists(directory))
        {
            inputs[name + "/"] = Missing;
            return;
        }

        foreach (string file in Directory.EnumerateFiles(directory).Where(IsReadByOthers).Order(StringComparer.Ordinal))
            AddFile(inputs, $"{name}/{Path.GetFileName(file)}", file);
    }

    private void AddFile(SortedDictionary<string, string> inputs, string name, string path) =>
        inputs[name] = File.Exists(path) ? hasher.Hash(path) : Missing;

    private string? Locate(string model, ModelContent content)
    {
        try
        {
            return BaseModelLocator.Locate(model, modelCaches, content: content).Directory;
        }
        catch (DiagnosticException)
        {
            // Told by the stage that needs it: a build of an earlier stage does not.
            return null;
        }
    }
}
