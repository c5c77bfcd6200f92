// `export-gguf`: merged/ → gguf/ as a stage of a recipe, or any model directory → GGUF files.
using System.CommandLine;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Export;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class ExportGgufVerb
{
    private const string TypePlaceholder = "{type}";

    private static readonly Option<string[]> Type = new("--type") { Description = string.Join(" | ", GgufMix.All.Select(m => m.Name)) + "; repeatable, then FILE holds {type}.", HelpName = "TYPE" };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("export-gguf", "Writes GGUF files that llama.cpp and Ollama load: --recipe as a stage, or --model, --type and --output FILE; with --adapter the adapter alone, for llama.cpp's --lora.")
        {
            SharedOptions.Model, SharedOptions.Adapter, Type, SharedOptions.Force,
        };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        int? threads = context.Value(SharedOptions.Threads);
        if (context.Value(SharedOptions.Recipe) is not null)
        {
            RecipeArguments.Runner(context).Run(Stage.Export, context.Value(SharedOptions.Force), work => ExportWork.Run(work, () => Compute.Prepare(context, work.Recipe.Base.Dtype, isComparison: true), threads));
            return;
        }

        string[] types = context.Value(Type) ?? [];
        if (context.Value(SharedOptions.Model) is null || types.Length == 0)
            throw VerbContext.Missing("--recipe FILE, or --model DIR and --type TYPE");
        string pattern = context.RequiredPath(SharedOptions.Output);
        if (types.Length > 1 && !pattern.Contains(TypePlaceholder, StringComparison.Ordinal))
            throw new DiagnosticException("LB0820", $"with several --type, --output must hold {TypePlaceholder}, such as model-{TypePlaceholder}.gguf.");
        if (Directory.Exists(pattern) || Path.EndsInDirectorySeparator(pattern))
            throw new DiagnosticException("LB0820", $"--output {pattern} is a directory, but a file is written: name it, such as {Path.Combine(pattern, $"model-{TypePlaceholder}.gguf")}.");
        string model = ModelArguments.ModelDirectory(context);
        string? adapter = ModelArguments.AdapterDirectory(context);
        List<GgufMix> mixes = [.. types.Select(name => ExportWork.MixOf(name, RecipePlace.None)).Distinct()];
        if (adapter is not null && mixes.Find(m => m.Name is not ("f32" or "f16")) is GgufMix other)
            throw new DiagnosticException("LB0834", $"an adapter is written as f32 or f16, not as {other.Name}: it is small, and llama.cpp computes with it as it is.");
        foreach (GgufMix mix in mixes)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            string file = pattern.Replace(TypePlaceholder, mix.Name, StringComparison.Ordinal);
            GgufExportReport report = adapter is null ? GgufExporter.Export(model, mix, file, new GgufExportOptions { Threads = threads }) : GgufAdapterExporter.Export(model, adapter, mix.Main, file, threads);
            context.Reporter.Message(report.Text);
        }
    }
}
