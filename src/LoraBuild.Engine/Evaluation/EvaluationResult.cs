// What an evaluation finds.
namespace LoraBuild.Engine.Evaluation;

/// <param name="Loss">Mean over target tokens, nats.</param>
/// <param name="Perplexity">e^Loss.</param>
/// <param name="Tokens">Target tokens.</param>
public sealed record EvaluationResult(double Loss, double Perplexity, long Tokens)
{
    /// <summary>Of preference pairs: how many are preferred rightly, and by how much; null otherwise.</summary>
    public LoraBuild.Engine.Training.PreferenceMetrics? Preference { get; init; }
}
