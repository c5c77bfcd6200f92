// Fresh weights as transformers initialises them, from a seed.
using LoraBuild.Engine.Quantization;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Linear weights and embeddings normal with <see cref="DecoderSpec.InitializerRange"/>, the padding row 0, biases 0, norms the identity.</summary>
internal static class RandomWeights
{
    /// <returns>As <see cref="WeightLoader.Load"/>.</returns>
    public static LoadedWeights Create(DecoderSpec spec, LoadOptions options)
    {
        Device device = options.Device ?? CPU;
        LoadedWeights weights = new([]);
        using var noGrad = no_grad();
        using Generator? generator = options.DrawOnDevice ? null : new(unchecked((ulong)options.Seed), CPU);
        Device drawn = options.DrawOnDevice ? device : CPU;
        foreach (ParameterShape parameter in ParameterLayout.All(spec))
        {
            if (options.Quantization is { } quantization && ParameterLayout.IsLayerLinear(parameter))
            {
                ScalarType computed = quantization.ComputeType ?? options.Dtype ?? ScalarType.Float32;
                weights.Frozen.Add(parameter.Name, QuantizedWeight.Random(quantization, [.. parameter.Shape], spec.InitializerRange, computed, device));
                continue;
            }

            using Tensor fresh = Fresh(parameter, spec, generator, drawn);
            Tensor placed = TensorTypes.Converted(fresh, options.Dtype ?? ScalarType.Float32, device).DetachFromDisposeScope();
            weights.Tensors.Add(parameter.Name, options.RequiresGrad ? new TorchSharp.Modules.Parameter(placed, requires_grad: true).DetachFromDisposeScope() : placed);
        }

        return weights;
    }

    private static Tensor Fresh(ParameterShape parameter, DecoderSpec spec, Generator? generator, Device device)
    {
        long[] shape = [.. parameter.Shape];
        switch (parameter.Kind)
        {
            case ParameterKind.LinearBias:
                return zeros(shape, dtype: ScalarType.Float32, device: device);
            case ParameterKind.NormWeight:
                return spec.HasUnitOffsetNorm ? zeros(shape, dtype: ScalarType.Float32, device: device) : ones(shape, dtype: ScalarType.Float32, device: device);
            default:
                Tensor values = empty(shape, dtype: ScalarType.Float32, device: device).normal_(0, spec.InitializerRange, generator);
                if (parameter.Kind == ParameterKind.Embedding && spec.PaddingId is int padding)
                {
                    using Tensor row = values.narrow(0, padding, 1);
                    using Tensor cleared = row.zero_();
                }

                return values;
        }
    }
}
