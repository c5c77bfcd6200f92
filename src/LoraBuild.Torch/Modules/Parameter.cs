// A tensor that a module registers and an optimizer updates.
using LoraBuild.Torch.Native;

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

    internal void ZeroGrad(bool isSetToNone) => NativeCall.Check(NativeMethods.lb_zero_grad(handle, isSetToNone ? 1 : 0));
}
