// Which modules an adapter touches, decided from names alone.
using System.Globalization;
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Adapters;

/// <param name="Path">Module path such as <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Scaling">s of y = W x + s · B(A x).</param>
public sealed record AdapterTarget(string Path, int R, double Scaling);

/// <summary>The outcome of matching <see cref="LoraOptions"/> with a model's module names, with PEFT's rules.</summary>
/// <param name="Targets">In the order of the model.</param>
/// <param name="SavedModules">Paths of embedding and head, as far as they are trained whole.</param>
/// <param name="KeepsTie">Embedding and head are one trained parameter.</param>
public sealed record AdapterPlan(IReadOnlyList<AdapterTarget> Targets, IReadOnlyList<string> SavedModules, bool KeepsTie)
{
    public const string AllLinear = "all-linear";

    /// <summary>What only the vision tower (SigLIP) and the projector of a multimodal model have; with a _ at the end: any name with it.</summary>
    private static readonly string[] OtherParts = ["vision_", "multi_modal_", "mm_", "fc1", "fc2", "out_proj", "patch_embedding", "position_embedding"];

    private static readonly TimeSpan RegexLimit = TimeSpan.FromSeconds(1);

    /// <param name="options">What to match.</param>
    /// <param name="linearPaths">All linear modules in the order of the model, the head included.</param>
    /// <param name="embeddingPath">Path of the embedding.</param>
    /// <param name="isTied">Head and embedding share their weight.</param>
    /// <param name="hasOtherParts">The model has parts that are not built, such as a vision tower: they are never matched.</param>
    /// <exception cref="DiagnosticException">LB0520 nothing matches; LB0521 a bad expression; LB0522 a value out of range; LB0523 modules_to_save; LB0524 a module twice; LB0528 modules of a part that is not trained.</exception>
    public static AdapterPlan Create(LoraOptions options, IReadOnlyList<string> linearPaths, string embeddingPath, bool isTied, bool hasOtherParts = false)
    {
        CheckValues(options);
        if (hasOtherParts)
            RefuseOtherParts(options);
        List<string> paths = [.. linearPaths.Where(p => IsTarget(p, options) && !IsExcluded(p, options))];
        CheckMatches(options, linearPaths, paths);
        List<string> saved = Saved(options, embeddingPath, isTied);
        if (saved.Find(paths.Contains) is string both)
            throw new DiagnosticException("LB0524", $"the module '{both}' is both a target of the adapter and in modules_to_save; name it in one of them");
        bool keepsTie = isTied && options.EnsureWeightTying && saved.Count > 0;
        return new AdapterPlan([.. paths.Select(p => new AdapterTarget(p, options.RankOf(p), options.ScalingOf(p)))], saved, keepsTie);
    }

    private static void CheckValues(LoraOptions options)
    {
        DiagnosticBag findings = new();
        void Range(bool isRight, string key, object value, string allowed)
        {
            if (!isRight)
                findings.Report(Diagnostic.Error("LB0522", string.Create(CultureInfo.InvariantCulture, $"{key} is {value}; allowed is {allowed}")));
        }

        Range(options.R >= 1, "r", options.R, "1 or more, commonly 8 to 64");
        Range(options.LoraDropout is >= 0 and < 1, "lora_dropout", options.LoraDropout, "0 ≤ x < 1");
        foreach ((string pattern, int r) in options.RankPattern)
            Range(r >= 1, $"rank_pattern['{pattern}']", r, "1 or more");
        Range(options.LayersToTransform is null || options.TargetModulesPattern is null, "layers_to_transform", "given together with an expression in target_modules", "only a list of target_modules beside it; put the layer numbers into the expression");
        Range(options.Bias is "none" or "all" or "lora_only", "bias", options.Bias, "none, all or lora_only");
        findings.ThrowIfErrors();
    }

    private static bool IsTarget(string path, LoraOptions options)
    {
        if (options.TargetModulesPattern == AllLinear)
            return path != ParameterLayout.HeadPath;
        if (options.TargetModulesPattern is string pattern)
            return Matches(pattern, path, "target_modules");
        return options.TargetModules.Any(t => IsNameOf(t, path))
            && (options.LayersToTransform is null || (LayerOf(path) is int layer && options.LayersToTransform.Contains(layer)));
    }

    private static bool IsExcluded(string path, LoraOptions options) =>
        options.ExcludeModulesPattern is string pattern
            ? Matches(pattern, path, "exclude_modules")
            : options.ExcludeModules.Any(e => IsNameOf(e, path));

    private static bool IsNameOf(string name, string path) => path == name || path.EndsWith('.' + name, StringComparison.Ordinal);

    /// <summary>The whole path must match, as with Python's <c>re.fullmatch</c>.</summary>
    private static bool Matches(string pattern, string path, string key)
    {
        try
        {
            return Regex.IsMatch(path, $@"\A(?:{pattern})\z", RegexOptions.CultureInvariant, RegexLimit);
        }
        catch (Exception e) when (e is RegexParseException or RegexMatchTimeoutException)
        {
            throw new DiagnosticException("LB0521", $"{key} is '{pattern}', which is not a regular expression that can be matched with '{path}': {e.Message}");
        }
    }

    private static int? LayerOf(string path)
    {
        string[] parts = path.Split('.');
        int layers = Array.IndexOf(parts, "layers");
        return layers >= 0 && layers + 1 < parts.Length && int.TryParse(parts[layers + 1], NumberStyles.None, CultureInfo.InvariantCulture, out int layer) ? layer : null;
    }

    /// <summary>Names that q_proj and others share with the text are the text's; what can only mean the pictures is told.</summary>
    private static void RefuseOtherParts(LoraOptions options)
    {
        DiagnosticBag findings = new();
        foreach (string asked in options.TargetModulesPattern is string pattern ? [pattern] : options.TargetModules)
        {
            if (OtherParts.Any(part => options.TargetModulesPattern is null && !part.EndsWith('_') ? asked == part || asked.EndsWith('.' + part, StringComparison.Ordinal) : asked.Contains(part, StringComparison.Ordinal)))
                findings.Report(Diagnostic.Error("LB0528", $"target_modules asks for '{asked}', which is in the model's vision tower or its projector. They are kept as they are: only text is trained here, and no gradient of a text reaches them. Name modules of the language model"));
        }

        findings.ThrowIfErrors();
    }

    private static void CheckMatches(LoraOptions options, IReadOnlyList<string> linearPaths, List<string> matched)
    {
        string[] names = [.. linearPaths.Select(p => p[(p.LastIndexOf('.') + 1)..]).Distinct()];
        string existing = $"The model's linear modules are {string.Join(", ", names)} (whole paths such as {linearPaths[0]})";
        DiagnosticBag findings = new();
        if (options.TargetModulesPattern is null)
        {
            foreach (string name in options.TargetModules.Where(t => !linearPaths.Any(p => IsNameOf(t, p))))
                findings.Report(Diagnostic.Error("LB0520", $"target_modules names '{name}', which is no linear module of the model. {existing}{(name.EndsWith("embed_tokens", StringComparison.Ordinal) ? ". To train the embedding, name it in modules_to_save" : "")}"));
        }

        findings.ThrowIfErrors();
        if (matched.Count > 0)
            return;
        string targets = options.TargetModulesPattern is string pattern ? $"'{pattern}'" : $"[{string.Join(", ", options.TargetModules)}]";
        if (options.TargetModulesPattern is not null || options.TargetModules.Count > 0 || options.ModulesToSave.Count == 0)
            throw new DiagnosticException("LB0520", $"target_modules = {targets} with exclude_modules and layers_to_transform matches no module. {existing}");
    }

    private static List<string> Saved(LoraOptions options, string embeddingPath, bool isTied)
    {
        SortedSet<string> saved = new(StringComparer.Ordinal);
        foreach (string name in options.ModulesToSave)
        {
            if (IsNameOf(name, embeddingPath))
                saved.Add(embeddingPath);
            else if (name == ParameterLayout.HeadPath)
                saved.Add(ParameterLayout.HeadPath);
            else
                throw new DiagnosticException("LB0523", $"modules_to_save names '{name}'; only embed_tokens and lm_head can be trained whole beside an adapter");
        }

        // A tie that is kept is saved under both names.
        if (isTied && options.EnsureWeightTying && saved.Count > 0)
            saved.UnionWith([embeddingPath, ParameterLayout.HeadPath]);
        return [.. saved.OrderBy(p => p == ParameterLayout.HeadPath)];
    }
}
