// Encodes rows of fp32 into ggml's types and back: the simple types bit for bit as ggml's reference code does, the K types by an own search.
using System.Buffers.Binary;
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
        Vector256<float> x0 = Vector256.Create(x), x1 = Vector256.Create(x[8..]), x2 = Vector256.Create(x[16..]), x3 = Vector256.Create(x[24..]);
        Vector256<float> largest = Vector256.Max(Vector256.Max(Vector256.Abs(x0), Vector256.Abs(x1)), Vector256.Max(Vector256.Abs(x2), Vector256.Abs(x3)));
        float max = 0;
        for (int i = 0; i < Vector256<float>.Count; i++)
            max = Math.Max(max, largest[i]);
        float d = max / 127;
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
        float magnitude = 0, extreme = 0;
        foreach (float value in x)
        {
            if (Math.Abs(value) > magnitude)
            {
                magnitude = Math.Abs(value);
                extreme = value;
            }
        }

        float d = extreme / -offset;
        float inverse = Inverse(d);
        Span<byte> codes = stackalloc byte[Size];
        for (int i = 0; i < Size; i++)
            codes[i] = (byte)Math.Min((2 * offset) - 1, (int)((x[i] * inverse) + (offset + 0.5f)));
        WriteHalf(y, d);
        WriteCodes(codes, y[2..], hasHighBits: offset == 16);
    }

    /// <summary>Q4_1, Q5_1: m = min, d = (max − min) / steps; code = min(steps, trunc((x − m)/d + ½)).</summary>
    private static void EncodeShifted(ReadOnlySpan<float> x, Span<byte> y, int steps)
    {
        float min = float.MaxValue, max = -float.MaxValue;
        foreach (float value in x)
        {
            min = value < min ? value : min;
            max = value > max ? value : max;
        }

        float d = (max - min) / steps;
        float inverse = Inverse(d);
        Span<byte> codes = stackalloc byte[Size];
        for (int i = 0; i < Size; i++)
        {
            float scaled = (x[i] - min) * inverse; // two roundings: not one fused multiply-add
            codes[i] = (byte)Math.Min(steps, (int)(scaled + 0.5f));
        }

        WriteHalf(y, d);
        WriteHalf(y[2..], min);
        WriteCodes(codes, y[4..], hasHighBits: steps == 31);
    }

    /// <summary>Code j in the low nibble of byte j, code j + 16 in the high one; bit 4 of code j at bit j of a u32 before them.</summary>
    private static void WriteCodes(ReadOnlySpan<byte> codes, Span<byte> y, bool hasHighBits)
    {
        if (hasHighBits)
        {
            uint high = 0;
            for (int i = 0; i < Size; i++)
                high |= (uint)(codes[i] >> 4 & 1) << i;
            BinaryPrimitives.WriteUInt32LittleEndian(y, high);
            y = y[4..];
        }

        for (int i = 0; i < Size / 2; i++)
            y[i] = (byte)((codes[i] & 15) | (codes[i + (Size / 2)] << 4));
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
