// The numbers of one AdamW update over a device's tensors, laid out as in native/kernels/cuda/optimizer.cpp.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

[StructLayout(LayoutKind.Sequential)]
internal struct CudaAdamWStep
{
    internal double Beta1;
    internal double Beta2;
    internal double Epsilon;
    internal double GradientScale;
    internal long Step;
}
