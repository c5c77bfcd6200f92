// Dropout whose masks follow from a seed and a place alone, the same in the fused kernels, on a device and here.
using System.Runtime.InteropServices;
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Elements of a dense matrix beside each other whose random numbers come from one seed.</summary>
/// <param name="Seed">Of the sequence.</param>
/// <param name="First">Place of the first element in it.</param>
/// <param name="Count">How many.</param>
public readonly record struct SeededElements(long Seed, long First, long Count);

/// <summary>
/// Which elements of one matrix are dropped in one pass. Element i of a sequence has the low (i even) or high half of SplitMix64's number i / 2, and is kept where its upper 24 bits are
/// below keep · 2²⁴. No mask need be stored: drawn again, it is the same.
/// </summary>
/// <param name="Keep">1 − p.</param>
/// <param name="Runs">All of the matrix, from its first element on.</param>
public sealed record DropoutDraw(double Keep, IReadOnlyList<SeededElements> Runs)
{
    private const int KeepBits = 24;

    /// <returns>[rows, width]: 1 / keep or 0.</returns>
    public Tensor Mask(long rows, long width, ScalarType type, Device device)
    {
#if NATIVE_KERNELS
        if (device.type == TorchSharp.DeviceType.CUDA)
        {
            // Drawn where it is used: a mask of the processor would have to travel at every step.
            Tensor mask = empty([rows, width], dtype: type, device: device);
            if (CudaKernels.Fit(mask))
            {
                FillOnDevice(mask);
                return mask;
            }

            mask.Dispose();
        }
#endif
        using Tensor drawn = empty([rows, width], dtype: ScalarType.Float32);
        Fill(MemoryMarshal.Cast<byte, float>(drawn.bytes));
        return TensorTypes.Converted(drawn, type, device);
    }

    /// <param name="mask">As many as the runs have elements; written.</param>
    internal void Fill(Span<float> mask)
    {
        uint threshold = (uint)((Keep * (1 << KeepBits)) + 0.5);
        float factor = (float)(1 / Keep);
        foreach (SeededElements run in Runs)
        {
            Span<float> part = mask[..(int)run.Count];
            for (int i = 0; i < part.Length; i++)
            {
                ulong place = (ulong)(run.First + i);
                uint half = (uint)(SplitMix64.Number((ulong)run.Seed, place >> 1) >> ((int)(place & 1) * 32));
                part[i] = half >> (32 - KeepBits) < threshold ? factor : 0;
            }

            mask = mask[part.Length..];
        }
    }

#if NATIVE_KERNELS
    private void FillOnDevice(Tensor mask)
    {
        using Tensor flat = mask.view(-1);
        long start = 0;
        foreach (SeededElements run in Runs)
        {
            using Tensor piece = flat.narrow(0, start, run.Count);
            CudaKernels.FillDropoutMask(piece, run.Seed, run.First, Keep);
            start += run.Count;
        }
    }
#endif
}
