// `merge`: base and adapter → a complete model; as a stage of a recipe, or of given directories.
using System.CommandLine;
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Merging;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class MergeVerb
{
    private static readonly Option<string> MaxShardSize = new("--max-shard-size") { Description = "Largest file of weights: 5GB, 500MB, bytes.", HelpName = "SIZE", DefaultValueFactory = _ => "5GB" };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("merge", "Adds an adapter to its base model: --recipe as a stage, or --model and --adapter.")
        {
            SharedOptions.Model, SharedOptions.Adapter, MaxShardSize, SharedOptions.Force,
        };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        if (context.Value(SharedOptions.Recipe) is not null)
        {
            RecipeArguments.Runner(context).Run(Stage.Merge, context.Value(SharedOptions.Force), work => MergeWork.Run(work, Compute.Prepare(context, work.Recipe.Base.Dtype, isComparison: true), context.Value(SharedOptions.Threads)));
            return;
        }

        if (context.Value(SharedOptions.Model) is null || context.Value(SharedOptions.Adapter) is null)
            throw VerbContext.Missing("--recipe FILE, or --model DIR and --adapter DIR");
        string output = context.RequiredPath(SharedOptions.Output);
        string dtype = context.Value(SharedOptions.Dtype)!;
        LocatedModel model = ModelArguments.Model(context);
        string adapter = context.RequiredDirectory(SharedOptions.Adapter);
        MergeReport report = AdapterMerger.Merge(
            model.Directory,
            adapter,
            output,
            new MergeOptions { Dtype = dtype == "auto" ? null : MergeWork.Dtype(dtype), MaxShardSize = Size(context.Value(MaxShardSize)!), Threads = context.Value(SharedOptions.Threads) });
        CardWork.WriteMerged(model, adapter, output);
        context.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"{output}: {report.ModulesMerged} modules merged, {report.Tensors} tensors, {report.TotalBytes:N0} bytes in {report.Shards} file(s)"));
    }

    /// <summary>Units as Hugging Face's: KB, MB, GB, TB are powers of 1000, KiB and so on powers of 1024.</summary>
    private static long Size(string text)
    {
        string digits = text.TrimEnd("KMGTiBkmgtb ".ToCharArray());
        long factor = text[digits.Length..].Trim().ToUpperInvariant() switch
        {
            "" or "B" => 1,
            "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "KIB" => 1L << 10,
            "MIB" => 1L << 20,
            "GIB" => 1L << 30,
            "TIB" => 1L << 40,
            _ => 0,
        };
        return factor > 0 && double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number) && number * factor is >= 1 and < long.MaxValue
            ? (long)(number * factor)
            : throw new DiagnosticException("LB0820", $"--max-shard-size must be a size such as 5GB or 500MB, got '{text}'.");
    }
}
