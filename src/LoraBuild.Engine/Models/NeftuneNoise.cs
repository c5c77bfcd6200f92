// NEFTune (Jain et al. 2023): uniform noise on embeddings in training.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>
/// Each number gets noise uniform in ±α / √(L·d), L the tokens of its own document and d the width, on the input of the first layer (after the factor of
/// Gemma's embedding). Drawn on the CPU from its own generator: the same on every device and number of threads.
/// </summary>
internal sealed class NeftuneNoise(double alpha) : IDisposable
{
    private readonly Generator generator = new(0, CPU);
    private RowRandomness? randomness;

    /// <summary>From now on noise is drawn while gradients are recorded; the same seed gives the same noise.</summary>
    public void SetSeed(long value) => Set(RowRandomness.Of(value));

    /// <summary>The same for passes whose rows have seeds of their own.</summary>
    public void Set(RowRandomness value) => randomness = value;

    /// <param name="input">[P, hidden].</param>
    /// <returns>[P, hidden] of the input's type; null while no gradients are recorded or no seed is set.</returns>
    public Tensor? Draw(PackedBatch batch, Tensor input)
    {
        if (randomness is null || !is_grad_enabled())
            return null;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        long width = input.shape[1];
        Tensor noise = randomness.Draw(input.shape[0], width, (block, seed) =>
        {
            generator.manual_seed(seed);
            block.uniform_(-1, 1, generator);
        });
        float[] magnitudes = new float[batch.TokenCount];
        for (int d = 0; d < batch.DocumentCount; d++)
        {
            int length = batch.SequenceStarts[d + 1] - batch.SequenceStarts[d];
            magnitudes.AsSpan(batch.SequenceStarts[d], length).Fill((float)(alpha / Math.Sqrt((double)length * width)));
        }

        noise.mul_(tensor(magnitudes).unsqueeze(1));
        return TensorTypes.Converted(noise, input.dtype, input.device).MoveToOuterDisposeScope();
    }

    public void Dispose() => generator.Dispose();
}
