// What an adapter is, before it is attached: PEFT's LoraConfig in our words.
using System.Text.RegularExpressions;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Adapters;

public enum LoraInit
{
    /// <summary>A Kaiming-uniform with a = √5 (uniform in ±1/√in), B zero: PEFT's default.</summary>
    KaimingUniform,

    /// <summary>A normal with standard deviation 1/r, B zero.</summary>
    Gaussian,

    /// <summary>The principal singular directions of the weight (Meng et al. 2024). Saved as the plain LoRA of rank 2r that computes the same.</summary>
    Pissa,

    /// <summary>The first columns of the weight's QR decomposition (Büyükakyüz 2024). Saved like <see cref="Pissa"/>.</summary>
    Olora,
}

/// <summary>Names and meanings are PEFT's (LoraConfig).</summary>
public sealed record LoraOptions
{
    public int R { get; init; } = 8;
    public double LoraAlpha { get; init; } = 32;

    /// <summary>Probability with which an input feature of A is dropped in training, 0 ≤ p &lt; 1.</summary>
    public double LoraDropout { get; init; }

    /// <summary>Module paths or their last components; not used when <see cref="TargetModulesPattern"/> is given.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>A regular expression over whole module paths, or <c>all-linear</c>: every linear module but the head.</summary>
    public string? TargetModulesPattern { get; init; }

    /// <summary>Module paths or their last components that are left alone.</summary>
    public IReadOnlyList<string> ExcludeModules { get; init; } = [];

    /// <summary>A regular expression over whole module paths that are left alone; null: <see cref="ExcludeModules"/> counts.</summary>
    public string? ExcludeModulesPattern { get; init; }

    /// <summary>Layer numbers from 0; null: all. Only with <see cref="TargetModules"/>.</summary>
    public IReadOnlyList<int>? LayersToTransform { get; init; }

    /// <summary>Regular expression on the end of a path to its own r.</summary>
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new Dictionary<string, int>();

    /// <summary>Regular expression on the end of a path to its own alpha.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>s = α/√r in place of α/r (Kalajdzievski 2023).</summary>
    public bool UseRslora { get; init; }

    /// <summary>Weight-decomposed adaptation (Liu et al. 2024).</summary>
    public bool UseDora { get; init; }

    /// <summary><c>embed_tokens</c>, <c>lm_head</c>: trained as whole copies and saved with the adapter.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Tokens whose rows of the embedding (and of a tied head) are trained and saved with the adapter.</summary>
    public IReadOnlyList<int> TrainableTokenIndices { get; init; } = [];

    /// <summary>Of a tied model, keep embedding and head one parameter in <see cref="ModulesToSave"/>.</summary>
    public bool EnsureWeightTying { get; init; }

    /// <summary><c>none</c>, <c>all</c> biases of the model, or those of adapted modules (<c>lora_only</c>); they are saved with the adapter.</summary>
    public string Bias { get; init; } = "none";

    public LoraInit Init { get; init; }

    public long Seed { get; init; }

    /// <summary>Written to adapter_config.json.</summary>
    public string? BaseModelName { get; init; }

    /// <summary>Keys of adapter_config.json that are not named in PeftAdapterConfig.</summary>
    private System.Text.Json.Nodes.JsonObject Extras()
    {
        System.Text.Json.Nodes.JsonObject extra = [];
        if (Init == LoraInit.Gaussian)
            extra["init_lora_weights"] = "gaussian";
        if (TrainableTokenIndices.Count > 0)
            extra["trainable_token_indices"] = new System.Text.Json.Nodes.JsonArray([.. TrainableTokenIndices.Select(t => (System.Text.Json.Nodes.JsonNode)t)]);
        return extra;
    }

    /// <summary>A and B start from the weight; the saved adapter holds the start too and has rank 2r.</summary>
    public bool HasOwnStart => Init is LoraInit.Pissa or LoraInit.Olora;

    /// <summary>α/r stays what it was when r doubles; with rsLoRA α/√r.</summary>
    private double SavedAlphaFactor => !HasOwnStart ? 1 : UseRslora ? Math.Sqrt(2) : 2;

    internal int RankOf(string path) => PeftPatterns.Find(RankPattern, path, R);

    internal double ScalingOf(string path)
    {
        double r = RankOf(path);
        return PeftPatterns.Find(AlphaPattern, path, LoraAlpha) / (UseRslora ? Math.Sqrt(r) : r);
    }

    /// <summary>As PEFT writes it: <c>all-linear</c> becomes the names that it stood for.</summary>
    internal PeftAdapterConfig ToPeftConfig(AdapterPlan plan, DecoderSpec spec) => new()
    {
        BaseModelNameOrPath = BaseModelName,
        R = HasOwnStart ? 2 * R : R,
        LoraAlpha = LoraAlpha * SavedAlphaFactor,
        LoraDropout = LoraDropout,
        TargetModules = TargetModulesPattern switch
        {
            null => [.. TargetModules.Order(StringComparer.Ordinal)],
            AdapterPlan.AllLinear => [.. plan.Targets.Select(t => t.Path[(t.Path.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal)],
            _ => [],
        },
        TargetModulesPattern = TargetModulesPattern == AdapterPlan.AllLinear ? null : TargetModulesPattern,
        ExcludeModules = ExcludePattern(spec) is null ? [.. ExcludeModules.Order(StringComparer.Ordinal)] : [],
        ExcludeModulesPattern = ExcludePattern(spec),
        ModulesToSave = ModulesToSave,
        LayersToTransform = LayersToTransform,
        RankPattern = HasOwnStart ? new OrderedDictionary<string, int>(RankPattern.Select(p => KeyValuePair.Create(p.Key, 2 * p.Value))) : RankPattern,
        AlphaPattern = HasOwnStart ? new OrderedDictionary<string, double>(AlphaPattern.Select(p => KeyValuePair.Create(p.Key, p.Value * SavedAlphaFactor))) : AlphaPattern,
        UseRslora = UseRslora,
        UseDora = UseDora,
        EnsureWeightTying = EnsureWeightTying,
        Bias = Bias,
        Extra = Extras(),
        TrainableTokenIndices = TrainableTokenIndices.Count == 0 ? new Dictionary<string, IReadOnlyList<int>>() : new Dictionary<string, IReadOnlyList<int>> { ["embed_tokens"] = TrainableTokenIndices },
    };

    /// <summary>PEFT looks for the targets in the whole model: what is not text is excluded by name, so that it attaches nothing to a vision tower.</summary>
    private string? ExcludePattern(DecoderSpec spec)
    {
        if (spec.IgnoredFilePrefixes.Count == 0)
            return ExcludeModulesPattern;
        string[] parts = [.. spec.IgnoredFilePrefixes.Select(p => p[(p.LastIndexOf('.') + 1)..]).Distinct().Select(p => $@".*{Regex.Escape(p)}\..*")];
        string[] own = ExcludeModulesPattern is string pattern ? [pattern] : [.. ExcludeModules.Select(m => $@"(.*\.)?{Regex.Escape(m)}")];
        return string.Join('|', own.Concat(parts));
    }
}
