// A number of any type as an argument: an implicit conversion from each C# number, and back by extension methods.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace TorchSharp;

/// <summary>An immutable number. Integers are kept as int64 and real numbers as double, as libtorch keeps them.</summary>
public sealed class Scalar : IDisposable
{
    internal readonly Number Value;

    private Scalar(Number value) => Value = value;

    public ScalarType Type => Value.Kind switch { 0 => ScalarType.Float64, 1 => ScalarType.Int64, _ => ScalarType.Bool };

    public static implicit operator Scalar(byte value) => new(Number.Of((long)value));

    public static implicit operator Scalar(sbyte value) => new(Number.Of((long)value));

    public static implicit operator Scalar(short value) => new(Number.Of((long)value));

    public static implicit operator Scalar(int value) => new(Number.Of((long)value));

    public static implicit operator Scalar(long value) => new(Number.Of(value));

    public static implicit operator Scalar(Half value) => new(Number.Of((double)value));

    public static implicit operator Scalar(float value) => new(Number.Of((double)value));

    public static implicit operator Scalar(double value) => new(Number.Of(value));

    public static implicit operator Scalar(bool value) => new(Number.Of(value));

    // Nothing native is held; the method is part of the API.
    public void Dispose()
    {
    }

    internal double Real => Value.Kind == 0 ? Value.Real : Value.Integer;

    internal long Integer => Value.Kind == 0 ? (long)Value.Real : Value.Integer;
}

public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this byte value) => value;

    public static Scalar ToScalar(this sbyte value) => value;

    public static Scalar ToScalar(this short value) => value;

    public static Scalar ToScalar(this int value) => value;

    public static Scalar ToScalar(this long value) => value;

    public static Scalar ToScalar(this float value) => value;

    public static Scalar ToScalar(this double value) => value;

    public static Scalar ToScalar(this bool value) => value;

    public static float ToSingle(this Scalar value) => (float)value.Real;

    public static double ToDouble(this Scalar value) => value.Real;

    public static byte ToByte(this Scalar value) => (byte)value.Integer;

    public static sbyte ToSByte(this Scalar value) => (sbyte)value.Integer;

    public static short ToInt16(this Scalar value) => (short)value.Integer;

    public static int ToInt32(this Scalar value) => (int)value.Integer;

    public static long ToInt64(this Scalar value) => value.Integer;

    public static bool ToBoolean(this Scalar value) => value.Real != 0;
}
