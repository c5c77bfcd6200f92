// The syntax tree of a split pattern.
namespace LoraBuild.Core.Tokenizers.Regex;

internal enum RepeatKind
{
    Greedy,
    Lazy,
    Possessive,
}

internal enum AssertionKind
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastNewline,
    WordBoundary,
    NotWordBoundary,
}

internal abstract record RegexNode
{
    /// <summary>The code points with which a match can begin, or null where that is unknown or the node can match nothing.</summary>
    public abstract CodePointSet? First { get; }

    /// <summary>The shortest and the longest match in code points; <see cref="Unlimited"/> where there is no longest.</summary>
    public abstract (int Min, int Max) Widths { get; }

    public const int Unlimited = 1_000_000_000;

    protected static int Limit(long width) => (int)Math.Min(width, Unlimited);
}

internal sealed record SetNode(CodePointSet Set) : RegexNode
{
    public override CodePointSet? First => Set;

    public override (int Min, int Max) Widths => (1, 1);
}

/// <summary>Neighbouring literal characters. Together, because a text may hold one character for several of them where case is ignored (ﬆ for st).</summary>
internal sealed record LiteralNode(IReadOnlyList<int> CodePoints, bool IgnoresCase) : RegexNode
{
    public override CodePointSet? First => throw new InvalidOperationException("literals are replaced before the first set is asked for");

    public override (int Min, int Max) Widths => throw new InvalidOperationException("literals are replaced before widths are asked for");
}

/// <summary>A bracket class whose case is ignored: one character of the set, or one of the sequences that its members fold to.</summary>
internal sealed record FoldedClassNode(CodePointSet Set, IReadOnlyList<int[]> Sequences) : RegexNode
{
    public override CodePointSet? First => throw new InvalidOperationException("folded classes are replaced before the first set is asked for");

    public override (int Min, int Max) Widths => throw new InvalidOperationException("folded classes are replaced before widths are asked for");
}

internal sealed record SequenceNode(IReadOnlyList<RegexNode> Items) : RegexNode
{
    private CodePointSet? first;

    public override CodePointSet? First => first ??= ComputeFirst();

    public override (int Min, int Max) Widths => (Limit(Items.Sum(i => (long)i.Widths.Min)), Limit(Items.Sum(i => (long)i.Widths.Max)));

    /// <summary>Optional items at the front add what they can begin with; the first item that must consume ends the search.</summary>
    private CodePointSet? ComputeFirst()
    {
        CodePointSet? union = null;
        foreach (RegexNode item in Items)
        {
            if (item is AssertionNode or LookNode)
                continue;
            if (item is RepeatNode { Min: 0 } optional)
            {
                if (optional.Body.First is not { } start)
                    return null;
                union = union?.Union(start) ?? start;
                continue;
            }

            return item.First is { } set ? union?.Union(set) ?? set : null;
        }

        return null;
    }
}

internal sealed record AlternationNode(IReadOnlyList<RegexNode> Items) : RegexNode
{
    private CodePointSet? first;

    public override CodePointSet? First
    {
        get
        {
            if (first is not null)
                return first;
            CodePointSet? union = null;
            foreach (RegexNode item in Items)
            {
                if (item.First is not { } set)
                    return null;
                union = union?.Union(set) ?? set;
            }

            return first = union;
        }
    }

    public override (int Min, int Max) Widths => (Items.Min(i => i.Widths.Min), Items.Max(i => i.Widths.Max));
}

/// <param name="Max">−1: without limit.</param>
internal sealed record RepeatNode(RegexNode Body, int Min, int Max, RepeatKind Kind) : RegexNode
{
    public override CodePointSet? First => Min > 0 ? Body.First : null;

    public override (int Min, int Max) Widths => (Limit((long)Body.Widths.Min * Min), Limit((long)Body.Widths.Max * (Max < 0 ? Unlimited : Max)));
}

internal sealed record AtomicNode(RegexNode Body) : RegexNode
{
    public override CodePointSet? First => Body.First;

    public override (int Min, int Max) Widths => Body.Widths;
}

internal sealed record LookNode(RegexNode Body, bool IsBehind, bool IsNegative) : RegexNode
{
    public override CodePointSet? First => null;

    public override (int Min, int Max) Widths => (0, 0);
}

internal sealed record AssertionNode(AssertionKind Kind) : RegexNode
{
    public override CodePointSet? First => null;

    public override (int Min, int Max) Widths => (0, 0);
}
