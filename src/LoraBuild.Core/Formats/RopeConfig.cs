// The rotary position embedding of one kind of layer, normalised from both config layouts.
namespace LoraBuild.Core.Formats;

/// <summary>Frequencies θ^(−2i/d), changed as <see cref="Type"/> says (golden README §1, "Rope").</summary>
public sealed record RopeConfig
{
    /// <summary>default | linear | dynamic | llama3 | yarn | longrope.</summary>
    public string Type { get; init; } = "default";

    public double Theta { get; init; } = 10000;

    public double Factor { get; init; } = 1;

    /// <summary>llama3 only.</summary>
    public double LowFreqFactor { get; init; } = 1;

    /// <summary>llama3 only.</summary>
    public double HighFreqFactor { get; init; } = 4;

    /// <summary>Context length before scaling, in tokens; for llama3, yarn, longrope.</summary>
    public int OriginalMaxPositionEmbeddings { get; init; }

    /// <summary>yarn only.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>yarn only.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>yarn, longrope: factor on cos and sin; null: computed from the factor.</summary>
    public double? AttentionFactor { get; init; }

    /// <summary>longrope only, [rotary width / 2].</summary>
    public IReadOnlyList<double> ShortFactor { get; init; } = [];

    /// <summary>longrope only, [rotary width / 2].</summary>
    public IReadOnlyList<double> LongFactor { get; init; } = [];

    /// <summary>Share of head_dim that rotates.</summary>
    public double PartialRotaryFactor { get; init; } = 1;

    internal static readonly string[] KnownTypes = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"];

    /// <param name="scaling">rope_scaling (4.x) or one entry of rope_parameters (5.x); null: none.</param>
    /// <param name="model">The (text) config, for keys that stand beside the scaling.</param>
    internal static RopeConfig Read(ConfigReader? scaling, ConfigReader model, ModelTypeDefaults defaults, double theta, int maxPositions)
    {
        string type = scaling?.OptionalString("rope_type") ?? scaling?.OptionalString("type") ?? "default";
        bool isPhi3 = defaults.OriginalMaxPositionEmbeddings is not null;
        type = type == "su" || (isPhi3 && type == "yarn") ? "longrope" : type; // the names in the first Phi-3 files
        if (Array.IndexOf(KnownTypes, type) < 0)
            throw model.Wrong("rope_scaling", scaling?.Root, $"a type among {string.Join(", ", KnownTypes)}");
        double partial = scaling?.OptionalDouble("partial_rotary_factor") ?? model.Double("partial_rotary_factor", 1);
        if (partial > 1)
            throw model.Wrong("partial_rotary_factor", model.Root["partial_rotary_factor"], "a share of head_dim, 0 < x ≤ 1");
        RopeConfig rope = new()
        {
            Type = type,
            Theta = scaling?.OptionalDouble("rope_theta") ?? theta,
            PartialRotaryFactor = partial,
        };
        if (scaling is null || type == "default")
            return rope;
        int? beside = model.OptionalInt("original_max_position_embeddings") ?? defaults.OriginalMaxPositionEmbeddings;
        int? inside = scaling.OptionalInt("original_max_position_embeddings");
        int original = (isPhi3 ? beside ?? inside : inside ?? beside) ?? maxPositions;
        // longrope carries no factor of its own: it is the ratio of the context lengths.
        double factor = type == "longrope" ? scaling.OptionalDouble("factor") ?? (double)maxPositions / original : scaling.Double("factor", null);
        rope = rope with { Factor = factor, OriginalMaxPositionEmbeddings = original, AttentionFactor = scaling.OptionalDouble("attention_factor") };
        return type switch
        {
            "llama3" => rope with { LowFreqFactor = scaling.Double("low_freq_factor", null), HighFreqFactor = scaling.Double("high_freq_factor", null) },
            "yarn" => rope with { BetaFast = scaling.Double("beta_fast", 32), BetaSlow = scaling.Double("beta_slow", 1) },
            "longrope" => rope with
            {
                ShortFactor = scaling.OptionalDoubles("short_factor") ?? throw model.Wrong("'rope_scaling.short_factor' is missing; longrope needs it"),
                LongFactor = scaling.OptionalDoubles("long_factor") ?? throw model.Wrong("'rope_scaling.long_factor' is missing; longrope needs it"),
            },
            _ => rope,
        };
    }
}
