// A frozen weight on a CUDA device, laid out as in native/kernels/cuda/frozen_linear.cpp.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal enum CudaFrozenKind : long
{
    FourBit,
    Int8,
    Stored,
}

[StructLayout(LayoutKind.Sequential)]
internal struct CudaFrozenWeight
{
    internal nint Codes;
    internal nint Scales;
    internal nint Map;
    internal nint Absmax;
    internal CudaFrozenKind Kind;
    internal long Rows;
    internal long Columns;
    internal long Block;
    internal long Group;
    internal double Offset;
    internal SixteenFloats Table;
}

[InlineArray(16)]
internal struct SixteenFloats
{
    private float first;
}
