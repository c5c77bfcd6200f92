// A set of Unicode code points with a constant-time test; pages of 256 are computed from the defining predicate when first asked for.
namespace LoraBuild.Core.Tokenizers.Regex;

/// <summary>Immutable to its users; safe to share between threads (a page computed twice is the same page).</summary>
internal sealed class CodePointSet
{
    private readonly Func<int, bool> predicate;
    private readonly ulong low;
    private readonly ulong high;
    private readonly ulong[]?[] pages = new ulong[]?[0x1100];

    public CodePointSet(Func<int, bool> predicate)
    {
        this.predicate = predicate;
        for (int c = 0; c < 64; c++)
        {
            low |= predicate(c) ? 1UL << c : 0;
            high |= predicate(c + 64) ? 1UL << c : 0;
        }
    }

    public static CodePointSet Single(int codePoint) => new(c => c == codePoint);

    public CodePointSet Union(CodePointSet other) => new(c => Contains(c) || other.Contains(c));

    public bool Contains(int codePoint)
    {
        if ((uint)codePoint < 128)
            return (((codePoint < 64 ? low : high) >> (codePoint & 63)) & 1) != 0;
        ulong[] page = pages[codePoint >> 8] ?? Compute(codePoint >> 8);
        return ((page[(codePoint >> 6) & 3] >> (codePoint & 63)) & 1) != 0;
    }

    private ulong[] Compute(int index)
    {
        var page = new ulong[4];
        for (int c = 0; c < 256; c++)
        {
            if (predicate((index << 8) | c))
                page[c >> 6] |= 1UL << (c & 63);
        }

        Volatile.Write(ref pages[index], page);
        return page;
    }
}
