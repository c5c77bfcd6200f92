// How a template is read and what it may cost. The defaults are those of transformers' chat templates.
namespace LoraBuild.Core.Chat.Jinja;

/// <summary>Limits are counts, never clock time: the same template and context end the same way on every machine.</summary>
public sealed record JinjaOptions
{
    /// <summary>Drop the newline behind a block tag or comment.</summary>
    public bool TrimBlocks { get; init; } = true;

    /// <summary>Drop the blanks before a block tag or comment that begins a line.</summary>
    public bool LstripBlocks { get; init; } = true;

    /// <summary>Work units of one rendering: an expression, an element touched, or 16 characters made count one, dearer things more. Ten million take about half a second.</summary>
    public long MaxSteps { get; init; } = 10_000_000;

    /// <summary>Characters of one string or of the output.</summary>
    public int MaxTextLength { get; init; } = 1 << 24;

    /// <summary>Characters of a template. The longest in use have some ten thousand.</summary>
    public int MaxSourceLength { get; init; } = 1 << 20;

    /// <summary>Macros, recursive loops and callers inside one another.</summary>
    public int MaxCallDepth { get; init; } = 200;

    /// <summary>Parentheses, blocks, lists, generators inside one another.</summary>
    public int MaxNesting { get; init; } = 400;

    /// <summary>The clock behind <c>strftime_now</c>. There is no other clock: without it the function fails.</summary>
    public DateTime? Now { get; init; }
}
