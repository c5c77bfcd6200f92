// The length of gradients, wherever they stand.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

internal static class GradientTensors
{
    /// <summary>√(Σ g²) over all of them.</summary>
    public static double Norm(IReadOnlyList<Tensor?> gradients)
    {
        using IDisposable noGrad = no_grad();
        List<FloatMemory> atHand = [];
        double sumOfSquares = 0;
#if NATIVE_KERNELS
        // Asking a device for each norm by itself would wait for it each time.
        Tensor[] onDevice = [.. gradients.OfType<Tensor>().Where(g => g.device_type == TorchSharp.DeviceType.CUDA)];
        if (onDevice.Length > 0)
            sumOfSquares = Math.Pow(DeviceKernels.TotalNorm(onDevice), 2);
        gradients = [.. gradients.Where(g => g is not null && g.device_type != TorchSharp.DeviceType.CUDA)];
#endif
        foreach (Tensor gradient in gradients.OfType<Tensor>())
        {
            if (FloatMemory.IsPossible(gradient))
            {
                atHand.Add(FloatMemory.Of(gradient));
                continue;
            }

            using Tensor wide = gradient.to(ScalarType.Float32);
            using Tensor norm = wide.norm();
            double value = norm.item<float>();
            sumOfSquares += value * value;
        }

        return Math.Sqrt(sumOfSquares + FloatMemory.SumOfSquares(atHand));
    }
}
