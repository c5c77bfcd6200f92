// What matches what where a pattern ignores case: Unicode's full case folding, as Oniguruma applies it.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

internal static class CaseFolding
{
    private static readonly Lazy<(Dictionary<int, int[]> Single, Dictionary<(int, int, int), int[]> Multiple)> Unfolded = new(Unfold);

    /// <summary>What a code point folds to: one code point, or two or three (ß to ss).</summary>
    public static int[] Fold(int codePoint) => PropertyTables.Foldings.TryGetValue(codePoint, out int[]? folded) ? folded : [codePoint];

    /// <summary>The code points that fold to this sequence of two or three; none in most cases.</summary>
    public static int[] FoldingTo(ReadOnlySpan<int> folded) => Unfolded.Value.Multiple.GetValueOrDefault(Key(folded)) ?? [];

    /// <summary>All code points with the same folding, itself included.</summary>
    public static int[] Equivalents(int codePoint)
    {
        int[] folded = Fold(codePoint);
        return folded.Length > 1 ? FoldingTo(folded) : Unfolded.Value.Single.GetValueOrDefault(folded[0]) ?? [codePoint];
    }

    /// <summary>A set together with the equivalents of all that it holds.</summary>
    public static Func<int, bool> Close(Func<int, bool> set) => c => set(c) || Array.Exists(Equivalents(c), e => set(e));

    /// <summary>The sequences that members of a set fold to, where they are longer than one.</summary>
    public static IEnumerable<int[]> SequencesOf(Func<int, bool> set) =>
        Unfolded.Value.Multiple.Values.Where(members => Array.Exists(members, m => set(m))).Select(members => Fold(members[0]));

    private static (int, int, int) Key(ReadOnlySpan<int> folded) => (folded[0], folded[1], folded.Length > 2 ? folded[2] : -1);

    private static (Dictionary<int, int[]>, Dictionary<(int, int, int), int[]>) Unfold()
    {
        Dictionary<int, int[]> single = PropertyTables.Foldings.Where(f => f.Value.Length == 1)
            .GroupBy(f => f.Value[0]).ToDictionary(g => g.Key, g => g.Select(f => f.Key).Append(g.Key).Order().ToArray());
        Dictionary<(int, int, int), int[]> multiple = PropertyTables.Foldings.Where(f => f.Value.Length > 1)
            .GroupBy(f => Key(f.Value)).ToDictionary(g => g.Key, g => g.Select(f => f.Key).Order().ToArray());
        return (single, multiple);
    }
}
