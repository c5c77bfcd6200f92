// ExportGguf: merged/ → gguf/NAME-TYPE.gguf for each type, and an Ollama Modelfile for the first.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Export;

namespace LoraBuild.Worker.Stages;

internal static class ExportWork
{
    public static void Run(StageWork work)
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
            GgufExportReport report = GgufExporter.Export(work.Layout.Merged, mix, file, new GgufExportOptions { Name = recipe.Name });
            files.Add(file);
            work.Reporter.Message($"export-gguf: {report.Text}");
        }

        if (files.Count > 0)
            OllamaModelfile.Write(files[0], work.Layout.Merged);
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
