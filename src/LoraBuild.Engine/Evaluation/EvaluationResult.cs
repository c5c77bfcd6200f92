// What an evaluation finds.
namespace LoraBuild.Engine.Evaluation;

/// <param name="Loss">Mean over target tokens, nats.</param>
/// <param name="Perplexity">e^Loss.</param>
/// <param name="Tokens">Target tokens.</param>
public sealed record EvaluationResult(double Loss, double Perplexity, long Tokens);
