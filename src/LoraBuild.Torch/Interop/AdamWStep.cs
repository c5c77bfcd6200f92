// The numbers of one AdamW update, laid out as in native/optim.cpp.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

[StructLayout(LayoutKind.Sequential)]
internal struct AdamWStep
{
    internal double LearningRate;
    internal double Beta1;
    internal double Beta2;
    internal double Epsilon;
    internal double WeightDecay;
    internal long Step;
    internal int IsMaximizing;
}
