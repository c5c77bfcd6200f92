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

    /// <summary>The length in code points of every match, or null where it varies.</summary>
    public abstract int? Width { get; }
}

internal sealed record SetNode(CodePointSet Set) : RegexNode
{
    public override CodePointSet? First => Set;

    public override int? Width => 1;
}

internal sealed record SequenceNode(IReadOnlyList<RegexNode> Items) : RegexNode
{
    private CodePointSet? first;

    public override CodePointSet? First => first ??= ComputeFirst();

    public override int? Width
    {
        get
        {
            int total = 0;
            foreach (RegexNode item in Items)
            {
                if (item.Width is not { } width)
                    return null;
                total += width;
            }

            return total;
        }
    }

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

    public override int? Width
    {
        get
        {
            int? width = Items[0].Width;
            foreach (RegexNode item in Items)
            {
                if (item.Width is null || item.Width != width)
                    return null;
            }

            return width;
        }
    }
}

/// <param name="Max">−1: without limit.</param>
internal sealed record RepeatNode(RegexNode Body, int Min, int Max, RepeatKind Kind) : RegexNode
{
    public override CodePointSet? First => Min > 0 ? Body.First : null;

    public override int? Width => Min == Max && Body.Width is { } width ? width * Min : null;
}

internal sealed record AtomicNode(RegexNode Body) : RegexNode
{
    public override CodePointSet? First => Body.First;

    public override int? Width => Body.Width;
}

internal sealed record LookNode(RegexNode Body, bool IsBehind, bool IsNegative) : RegexNode
{
    public override CodePointSet? First => null;

    public override int? Width => 0;
}

internal sealed record AssertionNode(AssertionKind Kind) : RegexNode
{
    public override CodePointSet? First => null;

    public override int? Width => 0;
}
