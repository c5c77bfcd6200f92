// Re-reads an exported file and holds its perplexity against the merged model's: a quantisation that costs too much fails here.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Evaluation;

public static class GgufGate
{
    /// <param name="modelDirectory">The merged model.</param>
    /// <param name="type">For the message.</param>
    /// <param name="heldOut">The tokens on which <paramref name="merged"/> was measured.</param>
    /// <param name="merged">The merged model's figures.</param>
    /// <param name="maxIncrease">The recipe's <c>export.max_perplexity_increase</c> of this type, a fraction; null: any.</param>
    /// <exception cref="DiagnosticException">LB0712: the perplexity rose by more, or is no number.</exception>
    public static EvaluationResult Check(string modelDirectory, string ggufFile, string type, TokenDocuments heldOut, EvaluationResult merged, double? maxIncrease, LoadOptions options, CancellationToken cancellation = default)
    {
        using CausalLM model = GgufModel.Load(modelDirectory, ggufFile, options);
        EvaluationResult result = PerplexityEvaluator.Evaluate(model, heldOut, PerplexityEvaluator.DefaultBatchTokens, cancellation);
        double increase = (result.Perplexity / merged.Perplexity) - 1;
        if (!double.IsFinite(result.Loss) || increase > maxIncrease)
        {
            throw new DiagnosticException("LB0712", string.Create(
                CultureInfo.InvariantCulture,
                $"{type}: perplexity {result.Perplexity:F3} on {result.Tokens:N0} held-out tokens, {increase:P2} more than the merged model's {merged.Perplexity:F3}; export.max_perplexity_increase allows {(maxIncrease is double limit ? (100 * limit).ToString("0.00###########", CultureInfo.InvariantCulture) + " %" : "what is a number")}. Export a larger type, or raise the bound"), ggufFile);
        }

        return result;
    }
}
