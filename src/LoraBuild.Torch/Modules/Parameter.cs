// A tensor that a module registers and an optimizer updates.
namespace TorchSharp.Modules;

/// <summary>A leaf tensor with a gradient.</summary>
public class Parameter : torch.Tensor
{
    /// <param name="data">The tensor to take over: it is invalid afterwards, as with TorchSharp.</param>
    /// <param name="requires_grad">Whether backward accumulates a gradient.</param>
    public Parameter(torch.Tensor data, bool requires_grad = true)
        : base(data.DecoupleFromNativeHandle())
    {
        this.requires_grad = requires_grad;
    }
}
