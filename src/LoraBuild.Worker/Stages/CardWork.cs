// Gathers what a model card says from what the stages left, and writes it beside the weights.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Cards;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Hub;
using LoraBuild.Core.IO;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

/// <summary>
/// The stage that owns a directory writes its card: training that of adapter/ (or model/), before anything was evaluated; merging that of merged/, with the
/// evaluation's figures where there are some of this very adapter. No later stage reads a card, so a word in one makes nothing stale.
/// </summary>
internal static class CardWork
{
    private static readonly Stage[] StagesOfData = [Stage.Prepare, Stage.Template];
    private static readonly string[] Splits = ["train", "eval"];

    /// <summary>After training: adapter/README.md, or model/README.md.</summary>
    public static void WriteTrained(StageWork work)
    {
        bool isFull = work.Recipe.Adapter.Type == "none";
        string directory = isFull ? work.Layout.Model : work.Layout.Adapter;
        Write(directory, OfPipeline(work, isFull ? CardKind.Full : CardKind.Adapter, directory) with
        {
            Training = TrainingOf(work.Layout.Metrics),
            Recipe = Keys([.. StagesOfData.Select(stage => Finished(work, stage)), Lines(work, Stage.Train)]),
        });
    }

    /// <summary>After merging: README.md of the merged model.</summary>
    /// <param name="merged">The directory in which the merged model stands now.</param>
    public static void WriteMerged(StageWork work, string merged)
    {
        bool isFull = work.Recipe.Adapter.Type == "none";
        Write(merged, OfPipeline(work, isFull ? CardKind.Full : CardKind.Merged, isFull ? work.Layout.Model : work.Layout.Adapter) with
        {
            // While a later training is unfinished the metrics are that one's.
            Training = File.Exists(work.Layout.Manifest(Stage.Train)) ? TrainingOf(work.Layout.Metrics) : null,
            Evaluation = work.HasEvaluation ? Measurements(work.Layout.Evaluation, isFull) : [],
            Recipe = Keys([.. StagesOfData.Append(Stage.Train).Select(stage => Finished(work, stage)), Lines(work, Stage.Merge)]),
        });
    }

    /// <summary>A merge of given directories: all that is known is what they hold.</summary>
    public static void WriteMerged(LocatedModel model, string adapterDirectory, string merged) =>
        Write(merged, new ModelCard(CardKind.Merged, BaseOf(model)) { Adapter = AdapterOf(adapterDirectory) });

    private static void Write(string directory, ModelCard card) => AtomicFile.WriteAllText(Path.Combine(directory, ModelCard.FileName), ModelCardText.Of(card));

    private static ModelCard OfPipeline(StageWork work, CardKind kind, string trained) => new(kind, BaseOf(work))
    {
        Adapter = kind == CardKind.Full ? null : AdapterOf(trained),
        Data = [.. Splits.Select(split => SplitOf(work, split)).OfType<CardSplit>()],
    };

    private static CardBase BaseOf(StageWork work)
    {
        LocatedModel model = work.LocatedBase();
        return BaseOf(model) with { Name = LoraOptionsBuilder.BaseName(work.Recipe.Base.Model), IsShapeOnly = work.Recipe.Base.Weights == "random" };
    }

    private static CardBase BaseOf(LocatedModel model)
    {
        string card = Path.Combine(model.Directory, ModelCard.FileName);
        CardLicense? license = File.Exists(card) ? FrontMatter.LicenseOf(File.ReadAllText(card)) : null;
        if (license is null && HubCache.ReadLicense(model.Directory) is { } id)
            license = new CardLicense(id);
        return new CardBase(model.Id ?? Path.GetFileName(model.Directory), model.Id, model.Revision, model.Commit, license);
    }

    private static CardAdapter? AdapterOf(string directory)
    {
        if (!File.Exists(Path.Combine(directory, PeftAdapterConfig.FileName)))
            return null;
        PeftAdapterConfig config = PeftAdapterConfig.Read(directory);
        return new CardAdapter(config.R, config.LoraAlpha, config.LoraDropout, config.UseDora, config.UseRslora, config.TargetModulesPattern is { } pattern ? [pattern] : config.TargetModules, config.ModulesToSave);
    }

    private static CardSplit? SplitOf(StageWork work, string split)
    {
        if (StageTokens.ReadOptional(work.Layout, split) is not { } documents)
            return null;
        string? data = StageManifest.Read(work.Layout.Manifest(Stage.Template))?.Inputs.GetValueOrDefault($"dataset/{split}.jsonl");
        return new CardSplit(
            split,
            documents.Count,
            documents.InputIds.LongLength,
            documents.Labels.LongCount(label => label != TokensFile.IgnoredLabel),
            data,
            work.Hash(StageTokens.FileOf(work.Layout, split)));
    }

    /// <summary>metrics.jsonl also holds speeds, which differ from run to run and are left out.</summary>
    private static CardTraining? TrainingOf(string metricsFile)
    {
        if (!File.Exists(metricsFile))
            return null;
        List<JsonObject> lines = [.. File.ReadLines(metricsFile).Select(line => JsonNode.Parse(line)!.AsObject())];
        List<JsonObject> steps = lines.FindAll(line => line.ContainsKey("loss"));
        List<double> losses = [.. steps.Select(line => line["loss"]).OfType<JsonNode>().Select(loss => (double)loss)]; // a step that was skipped may have none
        if (losses.Count == 0)
            return null;
        JsonObject? best = lines.FindAll(line => line.ContainsKey("eval_loss")).MinBy(line => (double)line["eval_loss"]!);
        return new CardTraining(
            (int)steps[^1]["step"]!,
            (double)steps[^1]["epoch"]!,
            losses[0],
            losses[^1],
            best is null ? null : ((int)best["step"]!, (double)best["eval_loss"]!, (double?)best["eval_perplexity"] ?? double.PositiveInfinity));
    }

    private static IReadOnlyList<CardMeasurement> Measurements(string file, bool isFull)
    {
        try
        {
            JsonObject report = JsonFile.ReadObject(file, "LB0835", "the model's card takes its figures from it");
            return [.. new[] { ("base", "base model"), ("adapter", isFull ? "this model" : "with the adapter"), ("merged", "this model") }
                .Where(part => report[part.Item1] is JsonObject)
                .Select(part => new CardMeasurement(part.Item2, (double)report[part.Item1]!["loss"]!, (double)report[part.Item1]!["perplexity"]!, (long)report[part.Item1]!["tokens"]!))];
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or NullReferenceException or JsonException)
        {
            throw new DiagnosticException("LB0835", $"the figures are not as the stage evaluate writes it: {e.Message} Delete it; the next build makes it again.", file);
        }
    }

    private static IReadOnlyList<string> Finished(StageWork work, Stage stage) => StageManifest.Read(work.Layout.Manifest(stage))?.Recipe ?? [];

    private static string[] Lines(StageWork work, Stage stage) => RecipeKeys.CanonicalText(work.Recipe, stage).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Several stages read one key, some only a part of its value: the first of the chain has the whole.</summary>
    private static IReadOnlyList<string> Keys(IEnumerable<IReadOnlyList<string>> stages) =>
        [.. stages.SelectMany(lines => lines).DistinctBy(line => line.Split(':', 2)[0], StringComparer.Ordinal).Order(StringComparer.Ordinal)];
}
