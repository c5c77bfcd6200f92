// The numbers of a frozen weight, laid out as in native/kernels/frozen_weight.h.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal enum FrozenKind : long
{
    FourBit,
    Int8Rows,
    BFloat16,
    Float16,
}

[StructLayout(LayoutKind.Sequential)]
internal struct FrozenWeightInfo
{
    internal FrozenKind Kind;
    internal long Rows;
    internal long Columns;
    internal long BlockSize;
    internal long NestedBlockSize;
    internal float Offset;
    internal int RoundsToBFloat16;
}

/// <summary>A reference to the native weight.</summary>
internal sealed class FrozenWeightHandle : SafeHandle
{
    public FrozenWeightHandle()
        : base(0, ownsHandle: true)
    {
    }

    internal FrozenWeightHandle(nint weight)
        : this() => SetHandle(weight);

    /// <summary>No weight.</summary>
    internal static FrozenWeightHandle None { get; } = new();

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        NativeMethods.lb_frozen_weight_free(handle);
        return true;
    }
}
