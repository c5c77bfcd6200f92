// The values behind four-bit codes, and the thresholds between them, as bitsandbytes has them.
namespace LoraBuild.Core.Formats.BitsAndBytes;

public static class FourBitTables
{
    /// <summary>Ascending (QLoRA, appendix E; bitsandbytes rounds each to fp32).</summary>
    private static readonly float[] Nf4 =
    [
        -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f,
    ];

    /// <summary>By bit pattern: 0, 1/192, 2/3, 1, 1/3, 1/2, 1/6, 1/4, then the same with the sign bit; 0 has none.</summary>
    private static readonly float[] Fp4 =
    [
        0.0f, 0.0625f / 12, 8f / 12, 1.0f, 4f / 12, 0.5f, 2f / 12, 0.25f,
        0.0f, -0.0625f / 12, -8f / 12, -1.0f, -4f / 12, -0.5f, -2f / 12, -0.25f,
    ];

    /// <summary>Halfway between neighbours; a value on a threshold takes the lower code.</summary>
    internal static float[] Nf4Thresholds { get; } = [.. Nf4.Zip(Nf4.Skip(1), (low, high) => (low + high) / 2)];

    /// <summary>Of magnitudes, in the digits of bitsandbytes' CUDA kernel; a value on a threshold takes the smaller magnitude.</summary>
    internal static float[] Fp4Thresholds { get; } = [0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f];

    /// <summary>Bit patterns of the magnitudes in ascending order.</summary>
    internal static ReadOnlySpan<byte> Fp4Patterns => [0b000, 0b001, 0b110, 0b111, 0b100, 0b101, 0b010, 0b011];

    /// <summary>What each of the sixteen codes stands for, in units of its block's scale.</summary>
    public static ReadOnlySpan<float> Values(WeightCode code) => code switch
    {
        WeightCode.Nf4 => Nf4,
        WeightCode.Fp4 => Fp4,
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "not a four-bit code"),
    };
}
