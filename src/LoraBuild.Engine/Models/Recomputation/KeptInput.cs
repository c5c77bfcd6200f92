// The input of one layer between forward and backward pass, in memory or in a file.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Recomputation;

internal interface IKeptInput
{
    /// <summary>Once: the values that were kept, as the beginning of a graph, with a gradient if they had one.</summary>
    /// <param name="scope">Owns the result.</param>
    Tensor Take(DisposeScope scope);
}

/// <param name="x">[P, hidden]; taken over.</param>
internal sealed class InputInMemory(Tensor x) : IKeptInput
{
    public Tensor Take(DisposeScope scope)
    {
        scope.Attach(x);
        return x;
    }
}

internal sealed class InputInFile : IKeptInput
{
    private readonly LayerInputFile file;
    private readonly long offset;
    private readonly long[] shape;
    private readonly ScalarType dtype;
    private readonly Device device;
    private readonly bool needsGradient;

    /// <param name="x">[P, hidden]; written and disposed.</param>
    /// <param name="layer">Its number; all inputs of a pass have the same size.</param>
    public InputInFile(Tensor x, int layer, LayerInputFile file)
    {
        this.file = file;
        (shape, dtype, device, needsGradient) = (x.shape, x.dtype, x.device, x.requires_grad);
        offset = layer * x.NumberOfElements * x.element_size();
        file.Write(offset, x);
        x.Dispose();
    }

    public Tensor Take(DisposeScope scope)
    {
        Tensor x = empty(shape, dtype: dtype, device: device);
        scope.Attach(x);
        file.Read(offset, x);
        return x.requires_grad_(needsGradient);
    }
}
