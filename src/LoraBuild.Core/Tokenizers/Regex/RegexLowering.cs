// Replaces literals and folded classes by what the compiler knows: sets, sequences and alternatives.
namespace LoraBuild.Core.Tokenizers.Regex;

internal static class RegexLowering
{
    /// <param name="isBehind">In a look-behind a literal character only stands for one character.</param>
    public static RegexNode Lower(RegexNode node, bool isBehind) => node switch
    {
        LiteralNode literal => new SequenceNode([.. Literal(literal, isBehind)]),
        FoldedClassNode folded => folded.Sequences.Count == 0
            ? new SetNode(folded.Set)
            : new AlternationNode([new SetNode(folded.Set), .. folded.Sequences.Select(Sequence)]),
        SequenceNode sequence => new SequenceNode([.. sequence.Items.SelectMany(i => i is LiteralNode l ? Literal(l, isBehind) : [Lower(i, isBehind)])]),
        AlternationNode alternation => new AlternationNode([.. alternation.Items.Select(i => Lower(i, isBehind))]),
        RepeatNode repeat => repeat with { Body = Lower(repeat.Body, isBehind) },
        AtomicNode atomic => new AtomicNode(Lower(atomic.Body, isBehind)),
        LookNode look => LowerLook(look, isBehind),
        _ => node,
    };

    private static LookNode LowerLook(LookNode look, bool isBehind) => isBehind
        ? throw new RegexSyntaxException("a look-around inside a look-behind is not supported", 0)
        : look with { Body = Lower(look.Body, look.IsBehind) };

    private static IEnumerable<RegexNode> Literal(LiteralNode literal, bool isBehind)
    {
        IReadOnlyList<int> text = literal.CodePoints;
        for (int i = 0; i < text.Count;)
        {
            if (!literal.IgnoresCase)
            {
                yield return new SetNode(CodePointSet.Single(text[i++]));
                continue;
            }

            (int[] folded, int taken) = isBehind ? ([], 1) : LongestFolding(text, i);
            yield return folded.Length > 0 ? Folding(folded) : Set(CaseFolding.Equivalents(text[i]));
            i += taken;
        }
    }

    /// <summary>The sequence that one character or several from here fold to, if some character stands for it; three characters go before two.</summary>
    private static (int[] Folded, int Taken) LongestFolding(IReadOnlyList<int> text, int at)
    {
        int[] own = CaseFolding.Fold(text[at]);
        if (own.Length > 1)
            return (own, 1);
        for (int count = Math.Min(3, text.Count - at); count >= 2; count--)
        {
            int[][] folds = [.. Enumerable.Range(at, count).Select(i => CaseFolding.Fold(text[i]))];
            int[] folded = [.. folds.Select(f => f[0])];
            if (folds.All(f => f.Length == 1) && CaseFolding.FoldingTo(folded).Length > 0)
                return (folded, count);
        }

        return ([], 1);
    }

    /// <summary>A folded sequence: its characters in any case, or one character that folds to it.</summary>
    private static AlternationNode Folding(int[] folded) => new([Sequence(folded), Set(CaseFolding.FoldingTo(folded))]);

    private static SequenceNode Sequence(int[] folded) => new([.. folded.Select(c => Set(CaseFolding.Equivalents(c)))]);

    private static SetNode Set(int[] codePoints) => new(new CodePointSet(c => Array.IndexOf(codePoints, c) >= 0));
}
