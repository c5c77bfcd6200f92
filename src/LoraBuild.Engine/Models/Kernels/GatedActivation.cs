// The gate of the feed-forward layer: the fused kernel where it fits, else the same in TorchSharp calls, which is what the kernel has to equal.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

public static class GatedActivation
{
    /// <summary>act(gate) · up (SwiGLU and GeGLU, Shazeer 2020).</summary>
    /// <param name="gate">[P, intermediate].</param>
    /// <param name="up">[P, intermediate].</param>
    /// <returns>[P, intermediate], a new tensor.</returns>
    public static Tensor Apply(Tensor gate, Tensor up, Activation activation)
    {
#if NATIVE_KERNELS
        if (FusedKernels.Fit(gate) && FusedKernels.Fit(up))
            return FusedKernels.GatedActivation(gate, up, FunctionOf(activation));
        if (CudaKernels.Fit(gate) && gate.dtype == up.dtype && gate.dim() == 2)
            return CudaKernels.Gated(gate, up, FunctionOf(activation));
#endif
        return Reference(gate, up, activation);
    }

#if NATIVE_KERNELS
    internal static GateFunction FunctionOf(Activation activation) => activation switch
    {
        Activation.Silu => GateFunction.Silu,
        Activation.Gelu => GateFunction.Gelu,
        Activation.GeluTanh => GateFunction.GeluTanh,
        _ => throw new ArgumentOutOfRangeException(nameof(activation), activation, null),
    };
#endif

    internal static Tensor Reference(Tensor gate, Tensor up, Activation activation)
    {
        using Tensor activated = Activate(gate, activation);
        return activated.mul(up);
    }

    private static Tensor Activate(Tensor x, Activation activation)
    {
        switch (activation)
        {
            case Activation.Silu:
                return x.silu();
            case Activation.Gelu:
                return x.gelu();
            case Activation.GeluTanh:
                // ½x(1 + tanh(√(2/π)(x + 0.044715 x³))), Hendrycks and Gimpel 2016.
                using (Tensor square = x.square())
                using (Tensor inner = square.mul(0.044715).add_(1.0))
                using (Tensor scaled = x.mul(Math.Sqrt(2.0 / Math.PI)))
                using (Tensor argument = scaled.mul(inner))
                using (Tensor bent = argument.tanh())
                using (Tensor shifted = bent.add(1.0))
                using (Tensor half = x.mul(0.5))
                    return half.mul(shifted);
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, null);
        }
    }
}
