// What all layers of one forward pass share.
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <param name="Batch">The tokens.</param>
/// <param name="Ropes">cos and sin [P, 1, d / 2] of every rope of the model.</param>
/// <param name="Masks">Additive masks.</param>
/// <param name="Cache">Keys and values of earlier tokens; then the batch is one document that goes on.</param>
internal sealed record ForwardPass(PackedBatch Batch, (Tensor Cos, Tensor Sin)[] Ropes, AttentionMasks Masks, KeyValueCache? Cache) : IDisposable
{
    public void Dispose()
    {
        foreach ((Tensor cos, Tensor sin) in Ropes)
        {
            cos.Dispose();
            sin.Dispose();
        }
    }
}
