// The gradients that stand at parameters: taken, measured, cleared.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

internal static class GradientTensors
{
    /// <summary>The parameter's gradient, outside of dispose scopes; the caller disposes it. Null: none.</summary>
    public static Tensor? Take(Tensor parameter)
    {
        Tensor? gradient = parameter.grad;
        return gradient?.DetachFromDisposeScope();
    }

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

    public static void Clear(IReadOnlyList<TrainedParameter> parameters)
    {
        using IDisposable noGrad = no_grad();
        foreach (TrainedParameter parameter in parameters)
        {
            using Tensor? gradient = parameter.Value.grad;
            gradient?.zero_();
        }
    }

    public static void Release(IReadOnlyList<Tensor?>? gradients)
    {
        foreach (Tensor? gradient in gradients ?? [])
            gradient?.Dispose();
    }
}
