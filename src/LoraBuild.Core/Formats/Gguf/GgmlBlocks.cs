// Encodes rows of fp32 into ggml's types and back: the simple types bit for bit as ggml's reference code does, the K types by an own search.
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace LoraBuild.Core.Formats.Gguf;

/// <summary>Simple types: blocks of 32 along a row; scales are stored as fp16 but the codes are made with the unrounded fp32 scale. K types: blocks of 256.</summary>
public static class GgmlBlocks
{
    private const int Size = 32;

    /// <summary>Encodes whole rows (a multiple of the type's block).</summary>
    public static void Encode(GgmlType type, ReadOnlySpan<float> source, Span<byte> destination)
    {
        switch (type)
        {
            case GgmlType.F32:
                FloatConversion.FromFloat32(TensorDtype.F32, source, destination);
                return;
            case GgmlType.F16:
                FloatConversion.FromFloat32(TensorDtype.F16, source, destination);
                return;
            case GgmlType.BF16:
                FloatConversion.FromFloat32(TensorDtype.BF16, source, destination);
                return;
        }

        if (GgmlTypes.IsK(type))
        {
            int blockBytes = GgmlTypes.Block(type)!.Value.Bytes;
            for (int block = 0; block < source.Length / KScales.BlockSize; block++)
                EncodeK(type, source.Slice(block * KScales.BlockSize, KScales.BlockSize), destination.Slice(block * blockBytes, blockBytes));
            return;
        }

        int bytes = (int)GgmlTypes.RowBytes(type, Size);
        for (int block = 0; block < source.Length / Size; block++)
        {
            ReadOnlySpan<float> x = source.Slice(block * Size, Size);
            Span<byte> y = destination.Slice(block * bytes, bytes);
            switch (type)
            {
                case GgmlType.Q8_0:
                    EncodeQ8(x, y);
                    break;
                case GgmlType.Q4_0:
                    EncodeSigned(x, y, 8);
                    break;
                case GgmlType.Q5_0:
                    EncodeSigned(x, y, 16);
                    break;
                case GgmlType.Q4_1:
                    EncodeShifted(x, y, 15);
                    break;
                case GgmlType.Q5_1:
                    EncodeShifted(x, y, 31);
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "not encodable");
            }
        }
    }

    /// <summary>Decodes whole rows.</summary>
    public static void Decode(GgmlType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case GgmlType.F32:
                FloatConversion.ToFloat32(TensorDtype.F32, source, destination);
                return;
            case GgmlType.F16:
                FloatConversion.ToFloat32(TensorDtype.F16, source, destination);
                return;
            case GgmlType.BF16:
                FloatConversion.ToFloat32(TensorDtype.BF16, source, destination);
                return;
        }

        if (GgmlTypes.IsK(type))
        {
            int blockBytes = GgmlTypes.Block(type)!.Value.Bytes;
            for (int block = 0; block < destination.Length / KScales.BlockSize; block++)
                KBlockDecoder.Decode(type, source.Slice(block * blockBytes, blockBytes), destination.Slice(block * KScales.BlockSize, KScales.BlockSize));
            return;
        }

        int bytes = (int)GgmlTypes.RowBytes(type, Size);
        for (int block = 0; block < destination.Length / Size; block++)
        {
            ReadOnlySpan<byte> x = source.Slice(block * bytes, bytes);
            Span<float> y = destination.Slice(block * Size, Size);
            switch (type)
            {
                case GgmlType.Q8_0:
                    float d = ReadHalf(x);
                    for (int i = 0; i < Size; i++)
                        y[i] = (sbyte)x[2 + i] * d;
                    break;
                case GgmlType.Q4_0:
                    DecodeCodes(x[2..], hasHighBits: false, y, ReadHalf(x), -8, 0);
                    break;
                case GgmlType.Q5_0:
                    DecodeCodes(x[2..], hasHighBits: true, y, ReadHalf(x), -16, 0);
                    break;
                case GgmlType.Q4_1:
                    DecodeCodes(x[4..], hasHighBits: false, y, ReadHalf(x), 0, ReadHalf(x[2..]));
                    break;
                case GgmlType.Q5_1:
                    DecodeCodes(x[4..], hasHighBits: true, y, ReadHalf(x), 0, ReadHalf(x[2..]));
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "not decodable");
            }
        }
    }

    private static void EncodeK(GgmlType type, ReadOnlySpan<float> x, Span<byte> y)
    {
        if (type is GgmlType.Q3_K or GgmlType.Q6_K)
            KSignedBlocks.Encode(type, x, y);
        else
            KAffineBlocks.Encode(type, x, y);
    }

    /// <summary>d = max|x| / 127; code = x·(1/d), halves away from zero.</summary>
    private static void EncodeQ8(ReadOnlySpan<float> x, Span<byte> y)
    {
        (Vector256<float> x0, Vector256<float> x1, Vector256<float> x2, Vector256<float> x3) = Load(x);
        float d = Largest(Vector256.MaxNative(Vector256.MaxNative(Vector256.Abs(x0), Vector256.Abs(x1)), Vector256.MaxNative(Vector256.Abs(x2), Vector256.Abs(x3)))) / 127;
        Vector256<float> inverse = Vector256.Create(Inverse(d));
        Vector256<short> low = Vector256.Narrow(RoundAway(x0 * inverse), RoundAway(x1 * inverse));
        Vector256<short> high = Vector256.Narrow(RoundAway(x2 * inverse), RoundAway(x3 * inverse));
        WriteHalf(y, d);
        Vector256.Narrow(low, high).AsByte().CopyTo(y[2..]);
    }

    /// <summary>The largest float below ½ is added, so that 0.49999997 stays 0.</summary>
    private static Vector256<int> RoundAway(Vector256<float> x)
    {
        Vector256<float> sign = Vector256.BitwiseAnd(x, Vector256.Create(-0f));
        return Vector256.ConvertToInt32(x + Vector256.BitwiseOr(Vector256.Create(0.49999997f), sign));
    }

    /// <summary>Q4_0, Q5_0: d = (value of largest magnitude, the first one) / −offset; code = min(2·offset − 1, trunc(x/d + offset + ½)).</summary>
    private static void EncodeSigned(ReadOnlySpan<float> x, Span<byte> y, int offset)
    {
        (Vector256<float> x0, Vector256<float> x1, Vector256<float> x2, Vector256<float> x3) = Load(x);
        Vector256<float> a0 = Vector256.Abs(x0), a1 = Vector256.Abs(x1), a2 = Vector256.Abs(x2), a3 = Vector256.Abs(x3);
        Vector256<float> largest = Vector256.Create(Largest(Vector256.MaxNative(Vector256.MaxNative(a0, a1), Vector256.MaxNative(a2, a3))));
        uint places = Vector256.Equals(a0, largest).ExtractMostSignificantBits()
            | Vector256.Equals(a1, largest).ExtractMostSignificantBits() << 8
            | Vector256.Equals(a2, largest).ExtractMostSignificantBits() << 16
            | Vector256.Equals(a3, largest).ExtractMostSignificantBits() << 24;
        float extreme = places == 0 || largest.ToScalar() == 0 ? 0 : x[BitOperations.TrailingZeroCount(places)];
        float d = extreme / -offset;
        Vector256<float> inverse = Vector256.Create(Inverse(d)), shift = Vector256.Create(offset + 0.5f);
        WriteHalf(y, d);
        WriteCodes((x0 * inverse) + shift, (x1 * inverse) + shift, (x2 * inverse) + shift, (x3 * inverse) + shift, (2 * offset) - 1, y[2..], hasHighBits: offset == 16);
    }

    /// <summary>Q4_1, Q5_1: m = min, d = (max − min) / steps; code = min(steps, trunc((x − m)/d + ½)), with two roundings: not one fused multiply-add.</summary>
    private static void EncodeShifted(ReadOnlySpan<float> x, Span<byte> y, int steps)
    {
        (Vector256<float> x0, Vector256<float> x1, Vector256<float> x2, Vector256<float> x3) = Load(x);
        float max = Largest(Vector256.MaxNative(Vector256.MaxNative(x0, x1), Vector256.MaxNative(x2, x3)));
        float min = -Largest(-Vector256.MinNative(Vector256.MinNative(x0, x1), Vector256.MinNative(x2, x3)));
        if (min == 0)
            min = x[x.IndexOf(0f)]; // of zeros with both signs the first one counts
        float d = (max == min ? 0 : max - min) / steps;
        Vector256<float> inverse = Vector256.Create(Inverse(d)), m = Vector256.Create(min), half = Vector256.Create(0.5f);
        WriteHalf(y, d);
        WriteHalf(y[2..], min);
        WriteCodes(((x0 - m) * inverse) + half, ((x1 - m) * inverse) + half, ((x2 - m) * inverse) + half, ((x3 - m) * inverse) + half, steps, y[4..], hasHighBits: steps == 31);
    }

    private static (Vector256<float> X0, Vector256<float> X1, Vector256<float> X2, Vector256<float> X3) Load(ReadOnlySpan<float> x) =>
        (Vector256.Create(x), Vector256.Create(x[8..]), Vector256.Create(x[16..]), Vector256.Create(x[24..]));

    private static float Largest(Vector256<float> x)
    {
        Vector128<float> four = Vector128.MaxNative(x.GetLower(), x.GetUpper());
        four = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>Code j in the low nibble of byte j, code j + 16 in the high one; bit 4 of code j at bit j of a u32 before them.</summary>
    private static void WriteCodes(Vector256<float> c0, Vector256<float> c1, Vector256<float> c2, Vector256<float> c3, int largest, Span<byte> y, bool hasHighBits)
    {
        Vector256<short> low = Vector256.Narrow(Vector256.ConvertToInt32(c0), Vector256.ConvertToInt32(c1));
        Vector256<short> high = Vector256.Narrow(Vector256.ConvertToInt32(c2), Vector256.ConvertToInt32(c3));
        Vector256<byte> codes = Vector256.Min(Vector256.Narrow(low, high).AsByte(), Vector256.Create((byte)largest));
        if (hasHighBits)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(y, (codes << 3).ExtractMostSignificantBits());
            y = y[4..];
        }

        ((codes.GetLower() & Vector128.Create((byte)15)) | (codes.GetUpper() << 4)).CopyTo(y);
    }

    private static void DecodeCodes(ReadOnlySpan<byte> x, bool hasHighBits, Span<float> y, float d, int offset, float m)
    {
        uint high = hasHighBits ? BinaryPrimitives.ReadUInt32LittleEndian(x) : 0;
        x = hasHighBits ? x[4..] : x;
        for (int i = 0; i < Size; i++)
        {
            int code = (i < Size / 2 ? x[i] & 15 : x[i - (Size / 2)] >> 4) | (int)(high >> i & 1) << 4;
            float scaled = (code + offset) * d;
            y[i] = offset == 0 ? scaled + m : scaled;
        }
    }

    /// <summary>0 for 0, and where 1/d overflows (blocks below 1e-36, which decode to 0 anyway).</summary>
    private static float Inverse(float d)
    {
        float inverse = d == 0 ? 0 : 1 / d;
        return float.IsFinite(inverse) ? inverse : 0;
    }

    private static void WriteHalf(Span<byte> y, float value)
    {
        ushort bits = 0;
        FloatConversion.ToHalf(new ReadOnlySpan<float>(in value), new Span<ushort>(ref bits));
        BinaryPrimitives.WriteUInt16LittleEndian(y, bits);
    }

    private static float ReadHalf(ReadOnlySpan<byte> x)
    {
        float value = 0;
        FloatConversion.FromHalf(MemoryMarshal.Cast<byte, ushort>(x[..2]), new Span<float>(ref value));
        return value;
    }
}
