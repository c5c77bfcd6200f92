// Continues a prompt token by token with a key/value cache.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Generation;

public static class TextGenerator
{
    /// <param name="promptIds">At least one token.</param>
    /// <param name="onToken">Called with each new token as it is chosen.</param>
    /// <param name="cancellation">Looked at before each token.</param>
    /// <returns>The new tokens, an end token included.</returns>
    /// <exception cref="DiagnosticException">LB0530: an option is out of range, or the prompt is empty or has ids that the model lacks.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static int[] Generate(CausalLM model, int[] promptIds, GenerationOptions options, Action<int>? onToken = null, CancellationToken cancellation = default)
    {
        Check(model, promptIds, options);
        TokenSampler sampler = new(options.Temperature, options.TopP, options.Seed);
        using var noGrad = no_grad();
        using KeyValueCache cache = new(model.LayerCount);
        List<int> generated = [];
        int[] next = promptIds;
        while (generated.Count < options.MaxNewTokens)
        {
            cancellation.ThrowIfCancellationRequested();
            int token = sampler.Choose(LastLogits(model, next, cache));
            generated.Add(token);
            onToken?.Invoke(token);
            if (options.EosTokenIds.Contains(token))
                break;
            next = [token];
        }

        return [.. generated];
    }

    /// <returns>[vocab] of the last of <paramref name="ids"/>.</returns>
    private static float[] LastLogits(CausalLM model, int[] ids, KeyValueCache cache)
    {
        using var scope = NewDisposeScope();
        long[] tokens = Array.ConvertAll(ids, id => (long)id);
        long[] positions = [.. Enumerable.Range(cache.Length, ids.Length).Select(p => (long)p)];
        using PackedBatch batch = PackedBatch.Create(tokens, positions, [0, ids.Length], model.Device);
        Tensor hidden = model.HiddenStates(batch, cache); // [new, hidden]
        return TensorTypes.ToFloat32Array(model.Logits(hidden.narrow(0, ids.Length - 1, 1)));
    }

    private static void Check(CausalLM model, int[] promptIds, GenerationOptions options)
    {
        if (promptIds.Length == 0)
            throw new DiagnosticException("LB0530", "the prompt has no tokens; at least one is needed");
        foreach (int id in promptIds)
        {
            if (id < 0 || id >= model.VocabSize)
                throw new DiagnosticException("LB0530", $"the prompt has the token {id}; the model's vocabulary has 0 … {model.VocabSize - 1}. Does the tokenizer belong to this model?");
        }

        if (options.Temperature < 0 || !double.IsFinite(options.Temperature))
            throw new DiagnosticException("LB0530", FormattableString.Invariant($"temperature is {options.Temperature}; allowed is 0 (greedy) or more, commonly 0.7"));
        if (options.TopP is not (> 0 and <= 1))
            throw new DiagnosticException("LB0530", FormattableString.Invariant($"top_p is {options.TopP}; allowed is 0 < p ≤ 1"));
        if (options.MaxNewTokens < 0)
            throw new DiagnosticException("LB0530", $"max_new_tokens is {options.MaxNewTokens}; allowed is 0 or more");
    }
}
