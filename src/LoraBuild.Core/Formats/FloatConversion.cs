// Converts runs of floating-point numbers between fp32 and their stored types; every rounding is to nearest even.
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LoraBuild.Core.Formats;

public static class FloatConversion
{
    /// <summary>Widens stored little-endian values to fp32; F64 is rounded.</summary>
    public static void ToFloat32(TensorDtype dtype, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (dtype)
        {
            case TensorDtype.F32:
                MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
                break;
            case TensorDtype.BF16:
                FromBFloat16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorDtype.F16:
                FromHalf(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorDtype.F64:
                ReadOnlySpan<double> doubles = MemoryMarshal.Cast<byte, double>(source);
                for (int i = 0; i < doubles.Length; i++)
                    destination[i] = (float)doubles[i];
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a floating-point type");
        }
    }

    /// <summary>Rounds fp32 values to a stored type; <paramref name="destination"/> has room for all of them.</summary>
    public static void FromFloat32(TensorDtype dtype, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (dtype)
        {
            case TensorDtype.F32:
                source.CopyTo(MemoryMarshal.Cast<byte, float>(destination));
                break;
            case TensorDtype.BF16:
                ToBFloat16(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            case TensorDtype.F16:
                ToHalf(source, MemoryMarshal.Cast<byte, ushort>(destination));
                break;
            case TensorDtype.F64:
                Span<double> doubles = MemoryMarshal.Cast<byte, double>(destination);
                for (int i = 0; i < source.Length; i++)
                    doubles[i] = source[i];
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "not a floating-point type");
        }
    }

    /// <summary>True where no value is infinite or NaN.</summary>
    public static bool AreFinite(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(values);
        Vector256<uint> exponent = Vector256.Create(0x7F800000u), found = Vector256<uint>.Zero;
        int i = 0;
        for (; i <= bits.Length - Vector256<uint>.Count; i += Vector256<uint>.Count)
            found |= Vector256.Equals(Vector256.Create(bits[i..]) & exponent, exponent);
        bool isFinite = found == Vector256<uint>.Zero;
        for (; i < bits.Length; i++)
            isFinite &= float.IsFinite(values[i]);
        return isFinite;
    }

    public static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(source[i..]));
                (low << 16).CopyTo(bits[i..]);
                (high << 16).CopyTo(bits[(i + Vector256<uint>.Count)..]);
            }
        }

        for (; i < source.Length; i++)
            bits[i] = (uint)source[i] << 16;
    }

    public static void ToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(source);
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                Vector256<uint> low = BFloat16Bits(Vector256.Create(bits[i..]));
                Vector256<uint> high = BFloat16Bits(Vector256.Create(bits[(i + Vector256<uint>.Count)..]));
                Vector256.Narrow(low, high).CopyTo(destination[i..]);
            }
        }

        for (; i < source.Length; i++)
            destination[i] = (ushort)BFloat16Bits(Vector256.CreateScalar(bits[i])).ToScalar();
    }

    public static void FromHalf(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(source[i..]));
                WidenHalf(low).CopyTo(bits[i..]);
                WidenHalf(high).CopyTo(bits[(i + Vector256<uint>.Count)..]);
            }
        }

        for (; i < source.Length; i++)
            bits[i] = WidenHalf(Vector256.CreateScalar((uint)source[i])).ToScalar();
    }

    public static void ToHalf(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(source);
        int i = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
            {
                Vector256<uint> low = HalfBits(Vector256.Create(bits[i..]));
                Vector256<uint> high = HalfBits(Vector256.Create(bits[(i + Vector256<uint>.Count)..]));
                Vector256.Narrow(low, high).CopyTo(destination[i..]);
            }
        }

        for (; i < source.Length; i++)
            destination[i] = (ushort)HalfBits(Vector256.CreateScalar(bits[i])).ToScalar();
    }

    /// <summary>Upper half of the fp32 bits, rounded to nearest even; a NaN stays one.</summary>
    private static Vector256<uint> BFloat16Bits(Vector256<uint> bits)
    {
        Vector256<uint> isOdd = (bits >>> 16) & Vector256<uint>.One;
        Vector256<uint> rounded = (bits + Vector256.Create(0x7FFFu) + isOdd) >>> 16;
        Vector256<uint> quietNan = (bits >>> 16) | Vector256.Create(0x40u);
        Vector256<uint> isNan = Vector256.GreaterThan((bits & Vector256.Create(0x7FFFFFFFu)).AsInt32(), Vector256.Create(0x7F800000)).AsUInt32();
        return Vector256.ConditionalSelect(isNan, quietNan, rounded);
    }

    /// <summary>fp16 bits of fp32 bits: normal numbers by adding half an ulp (less one when even), subnormal ones by letting an fp32 addition of 0.5 round.</summary>
    private static Vector256<uint> HalfBits(Vector256<uint> bits)
    {
        Vector256<uint> sign = (bits & Vector256.Create(0x80000000u)) >>> 16;
        Vector256<uint> magnitude = bits & Vector256.Create(0x7FFFFFFFu);

        Vector256<uint> isOdd = (magnitude >>> 13) & Vector256<uint>.One;
        Vector256<uint> normal = (magnitude + Vector256.Create(0xC8000FFFu) + isOdd) >>> 13; // exponent bias 127 → 15: − (112 << 23)

        Vector256<uint> half = Vector256.Create(126u << 23); // 0.5f, whose ulp is the smallest fp16 subnormal, 2^-24
        Vector256<uint> subnormal = (magnitude.AsSingle() + half.AsSingle()).AsUInt32() - half;

        Vector256<uint> isNan = Vector256.GreaterThan(magnitude.AsInt32(), Vector256.Create(0x7F800000)).AsUInt32();
        Vector256<uint> special = Vector256.ConditionalSelect(isNan, Vector256.Create(0x7E00u), Vector256.Create(0x7C00u));

        Vector256<uint> isSubnormal = Vector256.LessThan(magnitude.AsInt32(), Vector256.Create(113 << 23)).AsUInt32();
        Vector256<uint> isSpecial = Vector256.GreaterThanOrEqual(magnitude.AsInt32(), Vector256.Create(143 << 23)).AsUInt32(); // ≥ 65536
        Vector256<uint> result = Vector256.ConditionalSelect(isSubnormal, subnormal, normal);
        return Vector256.ConditionalSelect(isSpecial, special, result) | sign;
    }

    /// <summary>fp32 bits of fp16 bits, exact.</summary>
    private static Vector256<uint> WidenHalf(Vector256<uint> half)
    {
        Vector256<uint> sign = (half & Vector256.Create(0x8000u)) << 16;
        Vector256<uint> shifted = (half & Vector256.Create(0x7FFFu)) << 13;
        Vector256<uint> exponent = shifted & Vector256.Create(0x0F800000u);
        Vector256<uint> normal = shifted + Vector256.Create(112u << 23);
        Vector256<uint> special = normal + Vector256.Create(112u << 23); // infinity, NaN
        Vector256<uint> magic = Vector256.Create(113u << 23);
        Vector256<uint> subnormal = ((normal + Vector256.Create(1u << 23)).AsSingle() - magic.AsSingle()).AsUInt32();
        Vector256<uint> isSpecial = Vector256.Equals(exponent, Vector256.Create(0x0F800000u));
        Vector256<uint> isSubnormal = Vector256.Equals(exponent, Vector256<uint>.Zero);
        Vector256<uint> result = Vector256.ConditionalSelect(isSpecial, special, Vector256.ConditionalSelect(isSubnormal, subnormal, normal));
        return result | sign;
    }
}
