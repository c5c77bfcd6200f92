// Which arguments each learning rate schedule takes, and what they may be.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

/// <summary><c>train.lr_scheduler_type</c> and <c>train.lr_scheduler_kwargs</c>, with transformers' names.</summary>
internal static class ScheduleKeys
{
    private const string Kwargs = "train.lr_scheduler_kwargs";

    private static readonly Dictionary<string, string[]> ArgumentsOf = new()
    {
        ["linear"] = [],
        ["cosine"] = ["num_cycles"],
        ["cosine_with_restarts"] = ["num_cycles"],
        ["polynomial"] = ["lr_end", "power"],
        ["constant"] = [],
        ["constant_with_warmup"] = [],
        ["inverse_sqrt"] = ["timescale"],
        ["cosine_with_min_lr"] = ["min_lr", "min_lr_rate", "num_cycles"],
        ["cosine_warmup_with_min_lr"] = ["min_lr", "min_lr_rate", "num_cycles", "warmup_lr_rate"],
        ["warmup_stable_decay"] = ["decay_type", "min_lr_ratio", "num_cycles", "num_decay_steps", "num_stable_steps", "warmup_type"],
        ["wsd"] = ["decay_type", "min_lr_ratio", "num_cycles", "num_decay_steps", "num_stable_steps", "warmup_type"],
    };

    public static string[] Types { get; } = [.. ArgumentsOf.Keys];

    private static readonly string[] Curves = ["linear", "cosine", "1-sqrt"];

    /// <summary>The words for a key that no schedule takes, else null.</summary>
    public static string? CheckName(string name) =>
        ArgumentsOf.Values.Any(names => names.Contains(name)) ? null : "one of " + string.Join(", ", ArgumentsOf.Values.SelectMany(n => n).Distinct().Order(StringComparer.Ordinal));

    /// <summary>Reports LB0010 for what does not fit the schedule.</summary>
    public static void Check(Recipe recipe, IDiagnosticSink sink)
    {
        TrainSection train = recipe.Train;
        IReadOnlyDictionary<string, string> given = train.LrSchedulerKwargs;
        string[] allowed = ArgumentsOf[train.LrSchedulerType];
        foreach ((string name, string value) in given)
        {
            if (!allowed.Contains(name))
                Report($"{Kwargs}.{name} is no argument of the schedule {train.LrSchedulerType}, which takes {(allowed.Length == 0 ? "none" : string.Join(", ", allowed))}.");
            else if (Wrong(name, value) is { } right)
                Report($"{Kwargs}.{name} must be {right}, got {RecipeText.Quote(value)}.");
        }

        bool hasMinimum = train.LrSchedulerType is "cosine_with_min_lr" or "cosine_warmup_with_min_lr";
        if (hasMinimum && given.ContainsKey("min_lr") == given.ContainsKey("min_lr_rate"))
            Report($"the schedule {train.LrSchedulerType} needs one of min_lr and min_lr_rate in {Kwargs}, such as {{ min_lr_rate: 0.1 }}.");
        if (train.LrSchedulerType is "warmup_stable_decay" or "wsd" && !given.ContainsKey("num_decay_steps"))
            Report($"the schedule {train.LrSchedulerType} needs num_decay_steps in {Kwargs}: the number of steps at the end over which the rate falls.");
        double end = given.TryGetValue("lr_end", out string? text) && ValueKinds.TryParseNumber(text, out double number) ? number : 1e-7;
        if (train.LrSchedulerType == "polynomial" && end >= train.LearningRate)
            Report($"{Kwargs}.lr_end ({RecipeText.Number(end)}) must be below train.learning_rate ({RecipeText.Number(train.LearningRate)}).");

        void Report(string message)
        {
            RecipePlace place = recipe.PlaceOf(given.Count > 0 ? Kwargs : "train.lr_scheduler_type");
            sink.Report(Diagnostic.Error("LB0010", message, place.File, place.Line, place.Column));
        }
    }

    /// <summary>What the value must be, when it is not.</summary>
    private static string? Wrong(string name, string value)
    {
        if (name is "decay_type" or "warmup_type")
            return Curves.Contains(value) ? null : "one of " + string.Join(", ", Curves);
        if (!ValueKinds.TryParseNumber(value, out double number))
            return "a number";
        return name switch
        {
            "num_decay_steps" or "num_stable_steps" => number >= 0 && number == Math.Floor(number) && number <= int.MaxValue ? null : "a whole number of steps",
            "timescale" => number >= 1 && number == Math.Floor(number) && number <= int.MaxValue ? null : "a whole number of steps, at least 1",
            "min_lr_rate" or "min_lr_ratio" or "warmup_lr_rate" => number is >= 0 and <= 1 ? null : "between 0 and 1",
            _ => number >= 0 ? null : "≥ 0",
        };
    }
}
