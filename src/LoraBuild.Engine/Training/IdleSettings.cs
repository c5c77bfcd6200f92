// Settings that are given and change nothing, because another one does not let them: most often a mistake about what belongs together.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Engine.Training;

internal static class IdleSettings
{
    private static readonly TrainSection UsualTrain = new();
    private static readonly PreferenceSection UsualPreference = new();

    /// <returns>Each key with a sentence that says why it is idle.</returns>
    public static IEnumerable<(string Key, string Why)> Of(Recipe recipe, LintFacts facts) =>
        [.. OfBase(recipe), .. OfTraining(recipe), .. OfPreferences(recipe.Train, facts.Train.IsPairs), .. OfAdapter(recipe, facts)];

    /// <summary>Whether a key is given counts, not its value: the usual one of double_quant is true.</summary>
    private static IEnumerable<(string Key, string Why)> OfBase(Recipe recipe)
    {
        string quantization = recipe.Base.Quantization;
        if (quantization == "none")
        {
            foreach (string key in ((string[])["base.double_quant", "base.compute_dtype"]).Where(recipe.Places.ContainsKey))
                yield return (key, "it is about weights that base.quantization compresses, and that is none");
        }
        else if (quantization == "int8" && recipe.Places.ContainsKey("base.double_quant"))
        {
            yield return ("base.double_quant", "only nf4 and fp4 have scales that it compresses, and base.quantization is int8");
        }
    }

    private static IEnumerable<(string Key, string Why)> OfTraining(Recipe recipe)
    {
        TrainSection train = recipe.Train;
        if (train.SgdMomentum != 0 && train.Optim != "sgd")
            yield return ("train.sgd_momentum", $"only optim sgd has it, and train.optim is {train.Optim}");
        if (train.OptimStateBudget is not null && !train.Optim.StartsWith("paged_", StringComparison.Ordinal))
            yield return ("train.optim_state_budget", $"only the paged optimizers have it, and train.optim is {train.Optim}");
        if (train.GroupByLength && !train.Shuffle)
            yield return ("train.group_by_length", "it arranges a shuffled order, and train.shuffle is false");
        if (train.EarlyStoppingThreshold != 0 && train.EarlyStoppingPatience is null)
            yield return ("train.early_stopping_threshold", "without train.early_stopping_patience nothing stops early");
        if (train.LoraplusLrRatio is not null && recipe.Adapter.Type == "none")
            yield return ("train.loraplus_lr_ratio", "it is the rate of an adapter's matrices B, and adapter.type is none: norms and biases alone would get it");
    }

    private static IEnumerable<(string Key, string Why)> OfPreferences(TrainSection train, bool isPairs)
    {
        PreferenceSection given = train.Preference;
        if (!isPairs)
        {
            if (given != UsualPreference)
                yield return ("train.preference", "it is about preference pairs (format: preference), and the documents are none");
            yield break;
        }

        if (train.LabelSmoothingFactor != UsualTrain.LabelSmoothingFactor)
            yield return ("train.label_smoothing_factor", "it is about target tokens, and the documents are preference pairs; train.preference.label_smoothing is about those");
        foreach ((string key, bool isGiven, string[] losses) in ((string, bool, string[])[])[
            ("label_smoothing", given.LabelSmoothing != UsualPreference.LabelSmoothing, ["dpo", "simpo"]),
            ("length_normalized", given.LengthNormalized, ["dpo"]),
            ("reference_free", given.ReferenceFree, ["dpo"]),
            ("simpo_gamma", given.SimpoGamma != UsualPreference.SimpoGamma, ["simpo"]),
            ("desirable_weight", given.DesirableWeight != UsualPreference.DesirableWeight, ["kto"]),
            ("undesirable_weight", given.UndesirableWeight != UsualPreference.UndesirableWeight, ["kto"])])
        {
            if (isGiven && !losses.Contains(given.Loss))
                yield return ($"train.preference.{key}", $"it belongs to the loss {string.Join(" or ", losses)}, and train.preference.loss is {given.Loss}");
        }
    }

    private static IEnumerable<(string Key, string Why)> OfAdapter(Recipe recipe, LintFacts facts)
    {
        AdapterSection adapter = recipe.Adapter;
        if (adapter.InitFrom is not null)
        {
            foreach (string key in recipe.Places.Keys.Where(k => k.StartsWith("adapter.", StringComparison.Ordinal) && k.Count(c => c == '.') == 1 && k is not ("adapter.init_from" or "adapter.type")).Order(StringComparer.Ordinal))
                yield return (key, "adapter.init_from brings the settings of the adapter that it names");
            yield break;
        }

        foreach ((string key, IEnumerable<string> patterns) in ((string, IEnumerable<string>)[])[("adapter.rank_pattern", adapter.RankPattern.Keys), ("adapter.alpha_pattern", adapter.AlphaPattern.Keys)])
        {
            foreach (string pattern in patterns.Where(p => facts.AdaptedModules is { } modules && !modules.Any(m => PeftPatterns.Find(new Dictionary<string, bool> { [p] = true }, m, false))))
                yield return (key, $"'{pattern}' names no module that has an adapter");
        }
    }
}
