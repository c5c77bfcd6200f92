// Decodes one block of 256 of Q2_K … Q6_K, with the roundings of ggml's reference code: bit for bit its values.
using System.Buffers.Binary;

namespace LoraBuild.Core.Formats.Gguf;

internal static class KBlockDecoder
{
    public static void Decode(GgmlType type, ReadOnlySpan<byte> x, Span<float> y)
    {
        Span<byte> codes = stackalloc byte[KScales.BlockSize];
        switch (type)
        {
            case GgmlType.Q2_K:
                KCodes.UnpackTwoBits(x[16..80], codes);
                float d2 = Half(x[80..]), min2 = Half(x[82..]);
                for (int i = 0; i < codes.Length; i++)
                    y[i] = (d2 * (x[i / 16] & 15) * codes[i]) - (min2 * (x[i / 16] >> 4));
                break;
            case GgmlType.Q3_K:
                KCodes.UnpackTwoBits(x[32..96], codes);
                float d3 = Half(x[108..]);
                for (int i = 0; i < codes.Length; i++)
                {
                    int code = codes[i] + ((x[i % 32] >> (i / 32) & 1) * 4) - 4;
                    y[i] = d3 * (SixBits(x[96..108], i / 16) - 32) * code;
                }

                break;
            case GgmlType.Q4_K:
            case GgmlType.Q5_K:
                DecodeQ4Or5(x, y, hasHighBits: type == GgmlType.Q5_K);
                break;
            case GgmlType.Q6_K:
                KCodes.UnpackTwoBits(x[128..192], codes);
                float d6 = Half(x[208..]);
                for (int i = 0; i < codes.Length; i++)
                {
                    int low = x[(i / 128 * 64) + (i % 64)] >> (i / 64 % 2 * 4) & 15;
                    y[i] = d6 * (sbyte)x[192 + (i / 16)] * ((codes[i] << 4 | low) - 32);
                }

                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "not decodable");
        }
    }

    private static void DecodeQ4Or5(ReadOnlySpan<byte> x, Span<float> y, bool hasHighBits)
    {
        float d = Half(x), dMin = Half(x[2..]);
        ReadOnlySpan<byte> packed = x[4..16], high = x[16..48], low = x[(hasHighBits ? 48 : 16)..];
        for (int part = 0; part < 8; part++)
        {
            int scale = part < 4 ? packed[part] & 63 : (packed[part + 4] & 15) | (packed[part - 4] >> 6 << 4);
            int min = part < 4 ? packed[part + 4] & 63 : (packed[part + 4] >> 4) | (packed[part] >> 6 << 4);
            float step = d * scale, offset = dMin * min;
            for (int i = 0; i < 32; i++)
            {
                int code = low[(part / 2 * 32) + i] >> (part % 2 * 4) & 15;
                if (hasHighBits)
                    code |= (high[i] >> part & 1) << 4;
                y[(part * 32) + i] = (step * code) - offset;
            }
        }
    }

    /// <summary>Scale of a part of Q3_K: the lower four bits in eight bytes, the upper two in the four after them.</summary>
    private static int SixBits(ReadOnlySpan<byte> packed, int part) =>
        (packed[part % 8] >> (part / 8 * 4) & 15) | ((packed[8 + (part % 4)] >> (part / 4 * 2) & 3) << 4);

    private static float Half(ReadOnlySpan<byte> x) => (float)BinaryPrimitives.ReadHalfLittleEndian(x);
}
