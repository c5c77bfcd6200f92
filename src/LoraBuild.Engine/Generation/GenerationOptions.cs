// How text is continued.
namespace LoraBuild.Engine.Generation;

public sealed record GenerationOptions
{
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>0: the most likely token each time.</summary>
    public double Temperature { get; init; }

    /// <summary>Sample among the most likely tokens that together have this probability, 0 &lt; p ≤ 1 (Holtzman et al. 2019).</summary>
    public double TopP { get; init; } = 1;

    public long Seed { get; init; }

    /// <summary>Any of these ends the text; it is part of the result.</summary>
    public IReadOnlyCollection<int> EosTokenIds { get; init; } = [];
}
