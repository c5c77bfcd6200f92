// How the two moments of AdamW stand in memory and in checkpoints: fp32, or 8 bits a number in blocks.
using System.Runtime.InteropServices;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Quantization;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>One of the arrays that a checkpoint holds of a parameter.</summary>
/// <param name="Name">The last component of its name there.</param>
/// <param name="Group">Elements of the parameter that one entry stands for.</param>
internal sealed record StateArray(string Name, TensorDtype Dtype, int Group)
{
    public long CountOf(long elements) => (elements + Group - 1) / Group;

    public long BytesOf(long elements) => CountOf(elements) * Dtype.ByteSize();
}

/// <summary>
/// A piece of state holds the arrays one behind the other, of the same elements. 8 bits (Dettmers et al. 2022, as bitsandbytes has it): blocks of 256 elements, each with the
/// largest magnitude of either moment in fp32; the first moment by the signed, the second by the unsigned dynamic codebook.
/// </summary>
internal sealed class AdamStateFormat
{
    public const int BlockElements = 256;

    /// <summary>bitsandbytes' min_8bit_size: smaller parameters keep fp32.</summary>
    public const int LeastQuantizedElements = 4096;

    private AdamStateFormat(bool isQuantized, IReadOnlyList<StateArray> arrays)
    {
        IsQuantized = isQuantized;
        Arrays = arrays;
    }

    public static AdamStateFormat Float32 { get; } = new(false, [new("exp_avg", TensorDtype.F32, 1), new("exp_avg_sq", TensorDtype.F32, 1)]);

    public static AdamStateFormat Blocks8Bit { get; } = new(true, [
        new("state1", TensorDtype.U8, 1), new("state2", TensorDtype.U8, 1), new("absmax1", TensorDtype.F32, BlockElements), new("absmax2", TensorDtype.F32, BlockElements)]);

    public bool IsQuantized { get; }

    public IReadOnlyList<StateArray> Arrays { get; }

    public static AdamStateFormat Of(long elements, bool is8Bit) => is8Bit && elements >= LeastQuantizedElements ? Blocks8Bit : Float32;

    /// <summary>Bytes of the state of so many elements.</summary>
    public long BytesOf(long elements) => Arrays.Sum(a => Padded(a, elements));

    /// <summary>Where an array stands in a piece of <paramref name="elements"/>.</summary>
    public unsafe Span<byte> Slice(nint state, int array, int elements)
    {
        long offset = 0;
        for (int i = 0; i < array; i++)
            offset += Padded(Arrays[i], elements);
        return new Span<byte>((byte*)state + offset, (int)Arrays[array].BytesOf(elements));
    }

    public Span<float> Floats(nint state, int array, int elements) => MemoryMarshal.Cast<byte, float>(Slice(state, array, elements));

    /// <summary>One pass of a rule over a piece.</summary>
    public void Update(IElementwiseRule rule, in UpdateNumbers numbers, nint state, Span<float> p, ReadOnlySpan<float> g)
    {
        if (!IsQuantized)
        {
            RuleOnSpans.Update(rule, numbers, p, g, Floats(state, 0, p.Length), Floats(state, 1, p.Length));
            return;
        }

        const int atOnce = 8 * BlockElements; // both moments of so many stay in a core's first cache
        Span<float> moments = stackalloc float[2 * atOnce];
        Span<byte> codes1 = Slice(state, 0, p.Length);
        Span<byte> codes2 = Slice(state, 1, p.Length);
        Span<float> scales1 = Floats(state, 2, p.Length);
        Span<float> scales2 = Floats(state, 3, p.Length);
        for (int start = 0; start < p.Length; start += atOnce)
        {
            int length = Math.Min(atOnce, p.Length - start);
            Span<float> first = moments[..length];
            Span<float> second = moments.Slice(atOnce, length);
            Decode(DynamicCodebook.Signed, codes1.Slice(start, length), scales1[(start / BlockElements)..], first);
            Decode(DynamicCodebook.Unsigned, codes2.Slice(start, length), scales2[(start / BlockElements)..], second);
            RuleOnSpans.Update(rule, numbers, p.Slice(start, length), g.Slice(start, length), first, second);
            Encode(DynamicCodebook.Signed, first, codes1.Slice(start, length), scales1[(start / BlockElements)..]);
            Encode(DynamicCodebook.Unsigned, second, codes2.Slice(start, length), scales2[(start / BlockElements)..]);
        }
    }

    private static void Decode(DynamicCodebook codebook, ReadOnlySpan<byte> codes, ReadOnlySpan<float> scales, Span<float> moments)
    {
        for (int start = 0, block = 0; start < codes.Length; start += BlockElements, block++)
        {
            int length = Math.Min(BlockElements, codes.Length - start);
            codebook.Decode(codes.Slice(start, length), scales[block], moments.Slice(start, length));
        }
    }

    private static void Encode(DynamicCodebook codebook, ReadOnlySpan<float> moments, Span<byte> codes, Span<float> scales)
    {
        for (int start = 0, block = 0; start < codes.Length; start += BlockElements, block++)
        {
            int length = Math.Min(BlockElements, codes.Length - start);
            scales[block] = codebook.Encode(moments.Slice(start, length), codes.Slice(start, length));
        }
    }

    // What follows an array stands at a multiple of four bytes.
    private static long Padded(StateArray array, long elements) => (array.BytesOf(elements) + 3) / 4 * 4;
}
