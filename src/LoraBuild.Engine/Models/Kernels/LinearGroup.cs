// Linear layers over one input: one fused function where the kernel fits, else a product each in TorchSharp calls, which is what the kernel has to equal.
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>y_i = layer_i(n) for layers that read the same n.</summary>
internal static class LinearGroup
{
    /// <returns>[P, out] of each layer, new tensors that the caller may write into.</returns>
    public static Tensor[] Forward(LinearInput input, params ReadOnlySpan<LinearLayer> layers)
    {
#if NATIVE_KERNELS
        if (Fused(input, layers) is { } outputs)
            return outputs;
#endif
        return Reference(input, layers);
    }

    internal static Tensor[] Reference(LinearInput input, params ReadOnlySpan<LinearLayer> layers)
    {
        using Tensor n = input.Make();
        Tensor[] outputs = new Tensor[layers.Length];
        for (int i = 0; i < layers.Length; i++)
            outputs[i] = layers[i].Reference(n);
        return outputs;
    }

#if NATIVE_KERNELS
    /// <summary>Null: an input, a weight or an adapter is none of those that the kernel computes with.</summary>
    private static Tensor[]? Fused(LinearInput input, ReadOnlySpan<LinearLayer> layers)
    {
        if (!FusedKernels.Fit(input.X) || (input.Second is not null && !FusedKernels.Fit(input.Second)))
            return null;
        foreach (LinearLayer layer in layers)
        {
            if (!Fits(layer.Matrix) || (layer.Bias is Tensor bias && !FusedKernels.Fit(bias)))
                return null;
            if (layer.ActiveAdapter is { } adapter && !(adapter.LowRank is (Tensor a, _, _) && FusedKernels.Fit(a)))
                return null;
        }

        long width = layers[0].InFeatures;
        FusedLinear[] terms = new FusedLinear[layers.Length];
        for (int i = 0; i < layers.Length; i++)
            terms[i] = Term(layers[i], input.Rows, width);
        return FusedKernels.Linears(Described(input), terms);
    }

    private static bool Fits(LinearWeight weight) =>
        weight.Plain is Tensor plain ? !plain.requires_grad && FusedKernels.Fit(plain) : weight.Frozen!.Native is { IsRounded: false };

    private static FusedLinear Term(LinearLayer layer, long rows, long width)
    {
        LinearWeight weight = layer.Matrix;
        FusedLinear plain = new(weight.Plain!, layer.Bias!, Frozen: weight.Frozen?.Native!);
        if (layer.ActiveAdapter is not { } adapter || adapter.LowRank is not (Tensor a, Tensor b, double scaling))
            return plain;
        FusedLinear adapted = plain with { A = a, B = b, Scaling = scaling };
        return adapter.Dropout(rows, width) is { } dropout ? adapted with { Keep = dropout.Keep, Drops = [.. dropout.Runs.Select(r => new SeededRun(r.Seed, r.First, r.Count))] } : adapted;
    }

    private static FusedInput Described(LinearInput input) => input.Kind switch
    {
        LinearInputKind.Plain => new FusedInput(FusedInputKind.Plain, input.X),
        LinearInputKind.Normed => new FusedInput(FusedInputKind.Norm, input.X, input.Second!, input.NormEps, input.HasUnitOffsetNorm ? 1 : 0),
        LinearInputKind.Gated => new FusedInput(FusedInputKind.Gated, input.X, input.Second!, Function: GatedActivation.FunctionOf(input.Activation)),
        _ => new FusedInput(FusedInputKind.GatedHalves, input.X, Function: GatedActivation.FunctionOf(input.Activation)),
    };
#endif
}
