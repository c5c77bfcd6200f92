// Before training: does it fit? Afterwards: was the plan right?
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Planning;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Hosting;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Worker.Planning;

internal static class MemoryCheck
{
    private static readonly string[] Uncut = ["weights", "adapter", "gradients", "optimizer"];

    /// <param name="machine">Null: not known. train.memory_limit counts before it.</param>
    /// <exception cref="DiagnosticException">LB0641: the plan needs more; with what would fit.</exception>
    public static MemoryPlan Require(Recipe recipe, TrainingMemory memory, MemoryLimit? machine)
    {
        MemoryPlan plan = memory.Of(recipe);
        return Finding(recipe, memory, plan, machine) is { } problem ? throw new DiagnosticException([problem]) : plan;
    }

    /// <returns>LB0641; null: it fits, or nobody knows, or training cuts its steps.</returns>
    /// <param name="plan">Of the recipe as it is.</param>
    public static Diagnostic? Finding(Recipe recipe, TrainingMemory memory, MemoryPlan plan, MemoryLimit? machine)
    {
        MemoryLimit? limit = recipe.Train.MemoryLimit is long given ? new MemoryLimit(given, "train.memory_limit says so", IsNoticed: false) : machine;
        if (limit is null || plan.PeakBytes <= limit.Bytes)
            return null;
        long available = limit.Bytes;

        // Where running out is noticed, or looked for, training cuts its steps by itself, and says with figures when that is not enough (LB0652). What there is before the first step cannot be cut.
        if ((limit.IsNoticed || recipe.Train.AutoFindBatchSize) && Uncut.Sum(part => plan[part]) <= available)
            return null;
        IReadOnlyList<MemoryOption> options = MemoryOptions.Of(recipe, memory);
        string[] fitting = [.. options.Where(o => o.Plan.PeakBytes <= available).Select(o => $"{o.Change} ({Megabytes(o.Plan.PeakBytes)})")];
        string mend = fitting.Length > 0
            ? $"What would fit: {string.Join("; ", fitting)}."
            : $"{Tried([.. options.Select(o => o.Change)])}: choose a smaller model or template.max_length, or more memory.";
        RecipePlace place = recipe.PlaceOf(recipe.Train.MemoryLimit is null ? "base.model" : "train.memory_limit");
        return Diagnostic.Error(
            "LB0641",
            $"training needs {Megabytes(plan.PeakBytes)} ({PartsText(plan)}), and {Megabytes(available)} are there: {limit.Reason}. {mend}",
            place.File, place.Line, place.Column);
    }

    /// <param name="options">As it is; each change that the recipe does not make yet; of several, all of them.</param>
    private static string Tried(string[] options) => options.Length switch
    {
        1 => "The recipe makes every change that would need less",
        2 => $"{options[1]} is not enough",
        _ => $"None of {string.Join("; ", options[1..^1])} is enough, nor all of them",
    };

    /// <summary>One line: predicted against measured; of a device what tensors take there. Nothing where that is not known.</summary>
    public static void Compare(MemoryPlan plan, Device device, IReporter reporter)
    {
        long measured = ProcessMemory.PeakBytes(device);
        if (measured == 0)
            return;
        long predicted = plan.PeakBytes - (device.type == DeviceType.CPU ? 0 : plan["runtime"]);
        reporter.Message(string.Create(
            CultureInfo.InvariantCulture,
            $"train: peak memory {Megabytes(measured)}, predicted {Megabytes(predicted)} ({((double)predicted / measured) - 1:+0.0 %;-0.0 %;0.0 %}; {plan.PeakPhase}: {PartsText(plan)})"));
    }

    public static string PartsText(MemoryPlan plan) =>
        string.Join(", ", plan.Parts.Where(p => p.Bytes > 0).Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Name} {p.Bytes / 1e6:N1}")));

    public static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB");
}
