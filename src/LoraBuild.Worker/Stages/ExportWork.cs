// ExportGguf: merged/ → gguf/NAME-TYPE.gguf for each type, an Ollama Modelfile for the first, and what each file's perplexity is.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Export;
using LoraBuild.Engine.Models;

namespace LoraBuild.Worker.Stages;

internal static class ExportWork
{
    /// <param name="compute">Where the exported files are measured; asked for only when there is something to measure on.</param>
    /// <param name="threads">That encode; null: all cores.</param>
    public static void Run(StageWork work, Func<Compute> compute, int? threads)
    {
        Recipe recipe = work.Recipe;
        if (!Directory.Exists(work.Layout.Merged))
            throw new DiagnosticException("LB0831", $"{work.Layout.Merged} does not exist. Run the stage before: lorabuild merge --recipe … --output {work.Layout.Root}");
        string directory = work.At(work.Layout.Gguf);
        Directory.CreateDirectory(directory);
        List<GgufMix> mixes = [.. recipe.Export.Gguf.Select(name => MixOf(name, recipe.PlaceOf("export.gguf")))];
        List<string> files = [];
        foreach (GgufMix mix in mixes)
        {
            work.Cancellation.ThrowIfCancellationRequested();
            string file = Path.Combine(directory, $"{recipe.Name}-{mix.Name}.gguf");
            GgufExportReport report = GgufExporter.Export(work.Layout.Merged, mix, file, new GgufExportOptions { Name = recipe.Name, Threads = threads });
            files.Add(file);
            work.Reporter.Message($"export-gguf: {report.Text}");
        }

        if (files.Count > 0)
            OllamaModelfile.Write(files[0], work.Layout.Merged);
        Measure(work, mixes, files, compute);
    }

    /// <summary>Each file is read again, as someone else's program would, and answers the held-out tokens. All types are measured before one that is too bad fails the build.</summary>
    private static void Measure(StageWork work, List<GgufMix> mixes, List<string> files, Func<Compute> compute)
    {
        EvaluationResult? merged = EvaluationReport.ReadMerged(work.Layout.MergedEvaluation);
        if (files.Count == 0 || merged is null || StageTokens.ReadOptional(work.Layout, "eval") is not { } heldOut)
        {
            CheckBounds(work);
            return;
        }

        Compute where = compute();
        SortedDictionary<string, EvaluationResult> results = new(StringComparer.Ordinal);
        List<Diagnostic> failures = [];
        foreach ((GgufMix mix, string file) in mixes.Zip(files))
        {
            try
            {
                double? bound = work.Recipe.Export.MaxPerplexityIncrease.TryGetValue(mix.Name, out double given) ? given : null;
                EvaluationResult result = GgufGate.Check(work.Layout.Merged, file, mix.Name, heldOut, merged, bound, new LoadOptions { Device = where.Device, Dtype = where.Dtype }, work.Cancellation);
                results[mix.Name] = result;
                work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"export-gguf: {mix.Name}: perplexity {result.Perplexity:F3}, {(result.Perplexity / merged.Perplexity) - 1:+0.00%;-0.00%;0.00%} against the merged model"));
            }
            catch (DiagnosticException e) when (e.Diagnostics[0].Code == "LB0712")
            {
                RecipePlace place = work.Recipe.PlaceOf("export.max_perplexity_increase");
                failures.AddRange(e.Diagnostics.Select(d => d with { File = place.File, Line = place.Line, Column = place.Column }));
            }
        }

        if (failures.Count > 0)
            throw new DiagnosticException(failures);
        EvaluationReport.WriteGguf(work.At(work.Layout.GgufEvaluation), merged, results);
    }

    /// <summary>A bound that nothing can be held against is told, not forgotten.</summary>
    private static void CheckBounds(StageWork work)
    {
        RecipePlace place = work.Recipe.PlaceOf("export.max_perplexity_increase");
        if (work.Recipe.Export.MaxPerplexityIncrease.Count > 0 && work.Recipe.Export.Gguf.Count > 0)
            work.Reporter.Report(Diagnostic.Warning("LB0713", "export.max_perplexity_increase cannot be checked: there are no held-out tokens that the merged model was measured on. Set dataset.split.eval above 0, and run merge before", place.File, place.Line, place.Column));
    }

    /// <summary>Says before training whether the base model's family can be exported after it.</summary>
    /// <exception cref="DiagnosticException">LB0704: it cannot.</exception>
    public static void CheckPossible(Recipe recipe, string modelDirectory)
    {
        if (recipe.Export.Gguf.Count > 0)
            GgufExporter.CheckConfig(modelDirectory);
    }

    /// <exception cref="DiagnosticException">LB0834: a type that this version does not write.</exception>
    public static GgufMix MixOf(string name, RecipePlace place) =>
        GgufMix.Find(name) ?? throw new DiagnosticException(
            "LB0834",
            $"GGUF type {name} is not written by this version. Allowed: {string.Join(", ", GgufMix.All.Select(m => m.Name))}.",
            place.File, place.Line, place.Column);
}
