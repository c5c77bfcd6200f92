// A number as the C ABI takes it: a kind and eight bytes.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

/// <summary>Kind 0: <see cref="Real"/>; 1: <see cref="Integer"/>; 2: a bool in <see cref="Integer"/>.</summary>
[StructLayout(LayoutKind.Explicit)]
internal struct Number
{
    [FieldOffset(0)]
    internal long Kind;

    [FieldOffset(8)]
    internal double Real;

    [FieldOffset(8)]
    internal long Integer;

    internal static readonly Number One = Of(1L);

    internal static Number Of(double value) => new() { Kind = 0, Real = value };

    internal static Number Of(long value) => new() { Kind = 1, Integer = value };

    internal static Number Of(bool value) => new() { Kind = 2, Integer = value ? 1 : 0 };
}
