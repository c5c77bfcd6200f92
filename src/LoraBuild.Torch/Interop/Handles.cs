// Owners of what the native half allocates: tensors and generators. Each is freed exactly once, at the latest by the finalizer.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

/// <summary>Owns one native tensor reference.</summary>
internal sealed class TensorHandle : SafeHandle
{
    /// <summary>Stands for an optional tensor that is not given.</summary>
    internal static readonly TensorHandle None = new(0);

    internal TensorHandle(nint value)
        : base(0, ownsHandle: true) => SetHandle(value);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMethods.lb_tensor_free(handle);
        return true;
    }
}

/// <summary>Owns one native generator reference.</summary>
internal sealed class GeneratorHandle : SafeHandle
{
    /// <summary>Stands for the default generator of the tensor's device.</summary>
    internal static readonly GeneratorHandle None = new(0);

    internal GeneratorHandle(nint value)
        : base(0, ownsHandle: true) => SetHandle(value);

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMethods.lb_generator_free(handle);
        return true;
    }
}
