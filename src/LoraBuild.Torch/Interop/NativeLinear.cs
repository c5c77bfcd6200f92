// Arguments of the fused linear layers as the native side reads them.
using System.Runtime.InteropServices;
using LoraBuild.Torch.Kernels;

namespace LoraBuild.Torch.Native;

[StructLayout(LayoutKind.Sequential)]
internal struct NativeLinearInput
{
    public long Kind;
    public nint X;
    public nint Second;
    public double Eps;
    public double Offset;
    public long Function;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeLinear
{
    public nint Weight;
    public nint Frozen;
    public nint Bias;
    public nint A;
    public nint B;
    public SeededRun* Drops;
    public long DropCount;
    public double Scaling;
    public double Keep;
}
