// Sorted ranges of code points with a value each; looked up by bisection.
namespace LoraBuild.Core.Tokenizers.Unicode;

internal sealed class CodePointRanges
{
    private readonly int[] firsts;
    private readonly int[] lasts;
    private readonly int[] values;

    /// <param name="ranges">Not overlapping; in any order.</param>
    public CodePointRanges(IEnumerable<(int First, int Last, int Value)> ranges)
    {
        (int First, int Last, int Value)[] sorted = [.. ranges.OrderBy(r => r.First)];
        firsts = [.. sorted.Select(r => r.First)];
        lasts = [.. sorted.Select(r => r.Last)];
        values = [.. sorted.Select(r => r.Value)];
    }

    public bool Contains(int codePoint) => ValueOf(codePoint) >= 0;

    /// <summary>The value of the range that holds a code point, or −1.</summary>
    public int ValueOf(int codePoint)
    {
        int at = Array.BinarySearch(firsts, codePoint);
        if (at < 0)
            at = ~at - 1;
        return at >= 0 && codePoint <= lasts[at] ? values[at] : -1;
    }
}
