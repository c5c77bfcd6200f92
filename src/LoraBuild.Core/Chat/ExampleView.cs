// A tokenised document as text, with what is trained told apart: for `lorabuild template --show N`.
using System.Globalization;
using System.Text;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

/// <summary>A run of tokens that are all targets, or all not.</summary>
public sealed record ExampleSegment(string Text, bool IsTarget);

/// <summary>
/// Trained runs stand in ⟦ ⟧, or in colour. A control token stands as it is written; text that only looks like one has a backslash before it.
/// Line breaks show as ↵, blanks at a boundary or in a row as ·, tabs as ⇥, other signs that cannot be seen by their number.
/// </summary>
public static class ExampleView
{
    public const string PlainLegend = @"⟦trained⟧ and what is not;  ↵ line break  · blank  ⇥ tab  \<|x|> text that only looks like a control token";
    public static readonly string ColourLegend = $@"{Trained}trained{Off} and what is not; {Control}control token{Off}, {TrainedControl}trained control token{Off};  ↵ line break  · blank  ⇥ tab  \<|x|> text that only looks like a control token";

    private const string Off = "\e[0m";
    private const string Trained = "\e[1;32m";
    private const string Control = "\e[36m";
    private const string TrainedControl = "\e[1;30;42m";

    private readonly record struct Piece(string Text, bool IsTarget, bool IsControl);

    /// <summary>The document's segments in order.</summary>
    public static IReadOnlyList<ExampleSegment> Segments(Tokenizer tokenizer, TokenDocument document)
    {
        List<ExampleSegment> segments = [];
        foreach (Piece piece in Pieces(tokenizer, document))
        {
            if (segments.Count > 0 && segments[^1].IsTarget == piece.IsTarget)
                segments[^1] = segments[^1] with { Text = segments[^1].Text + piece.Text };
            else
                segments.Add(new ExampleSegment(piece.Text, piece.IsTarget));
        }

        return segments;
    }

    public static string Text(Tokenizer tokenizer, TokenDocument document, bool isColoured)
    {
        string[] controls = [.. Controls(tokenizer).Select(t => t.Content).OrderByDescending(c => c.Length)];
        StringBuilder text = new();
        bool isOpen = false;
        foreach (Piece piece in Pieces(tokenizer, document))
        {
            if (!isColoured && piece.IsTarget != isOpen)
                text.Append((isOpen = piece.IsTarget) ? '⟦' : '⟧');
            string shown = piece.IsControl ? piece.Text : Visible(piece.Text, controls);
            string colour = !isColoured ? "" : (piece.IsTarget, piece.IsControl) switch
            {
                (true, true) => TrainedControl,
                (true, false) => Trained,
                (false, true) => Control,
                _ => "",
            };
            // Off before the line's end: a pager colours the rest of the line otherwise.
            text.Append(colour.Length == 0 ? shown : colour + shown.Replace("\n", Off + "\n" + colour, StringComparison.Ordinal) + Off);
        }

        return text.Append(isOpen ? "⟧" : "").ToString();
    }

    private static IEnumerable<AddedToken> Controls(Tokenizer tokenizer) => tokenizer.AddedTokens.Where(t => !string.IsNullOrWhiteSpace(t.Content)); // many families do not call theirs special

    /// <summary>Each control token for itself, other tokens in runs.</summary>
    private static List<Piece> Pieces(Tokenizer tokenizer, TokenDocument document)
    {
        HashSet<int> controls = [.. Controls(tokenizer).Select(t => t.Id)];
        int[] ids = document.InputIds.ToArray();
        ReadOnlySpan<int> labels = document.Labels.Span;
        List<Piece> pieces = [];
        string before = "";
        for (int start = 0; start < ids.Length;)
        {
            bool isTarget = labels[start] != TokensFile.IgnoredLabel;
            bool isControl = controls.Contains(ids[start]);
            int end = start + 1;
            while (!isControl && end < ids.Length && (labels[end] != TokensFile.IgnoredLabel) == isTarget && !controls.Contains(ids[end]))
                end++;

            // What a run adds to the text before it: decoders treat the beginning of a text differently.
            string whole = tokenizer.Decode(ids.AsSpan(0, end));
            string text = isControl
                ? tokenizer.IdToToken(ids[start])!
                : whole.StartsWith(before, StringComparison.Ordinal) ? whole[before.Length..] : tokenizer.Decode(ids.AsSpan(start, end - start));
            pieces.Add(new Piece(text, isTarget, isControl));
            before = whole;
            start = end;
        }

        return pieces;
    }

    private static string Visible(string text, string[] controls)
    {
        StringBuilder visible = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (Array.Exists(controls, c => string.CompareOrdinal(text, i, c, 0, c.Length) == 0))
                visible.Append('\\');
            bool isEdge = i == 0 || i == text.Length - 1 || text[i - 1] is ' ' or '\n' || text[i + 1] is ' ' or '\n';
            _ = text[i] switch
            {
                '\n' => visible.Append("↵\n"),
                '\t' => visible.Append('⇥'),
                ' ' => visible.Append(isEdge ? '·' : ' '),
                char c when char.GetUnicodeCategory(c) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                    => visible.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                char c => visible.Append(c),
            };
        }

        return visible.ToString();
    }
}
