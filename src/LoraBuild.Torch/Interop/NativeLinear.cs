// Arguments of the fused linear layers as the native side reads them.
using System.Runtime.InteropServices;

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
internal struct NativeLinear
{
    public nint Weight;
    public nint Frozen;
    public nint Bias;
    public nint A;
    public nint B;
    public nint Mask;
    public double Scaling;
    public double Kept;
}
