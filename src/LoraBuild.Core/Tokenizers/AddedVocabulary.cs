// The added tokens of a tokenizer: their ids, and cutting a text at them in two passes (raw, then normalized).
using LoraBuild.Core.Tokenizers.Normalizers;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers;

/// <summary>A piece of text, or one added token in place of it (<paramref name="AddedId"/> ≥ 0).</summary>
internal readonly record struct Segment(TextPiece Piece, int AddedId);

internal sealed class AddedVocabulary
{
    private readonly TokenTrie raw = new();
    private readonly TokenTrie normalized = new();
    private readonly AddedToken[] tokens;
    private readonly Dictionary<int, string> contentOfId = [];
    private readonly Dictionary<string, AddedToken> byContent = new(StringComparer.Ordinal);
    private readonly HashSet<string> specialContents = new(StringComparer.Ordinal);
    private readonly INormalizer? normalizer;

    public AddedVocabulary(IReadOnlyList<AddedToken> tokens, INormalizer? normalizer)
    {
        this.tokens = [.. tokens];
        this.normalizer = normalizer;
        for (int i = 0; i < this.tokens.Length; i++)
        {
            AddedToken token = this.tokens[i];
            byContent[token.Content] = token;
            string searched = token.Content;
            if (token.Normalized && normalizer is not null)
                searched = normalizer.Normalize(new TextPiece(new AlignedText(token.Content), 0, token.Content.Length), hasPlaces: false).Span.ToString();
            contentOfId[token.Id] = searched;
            if (token.Special)
                specialContents.Add(token.Content);
        }

        // Of two tokens that are looked for with the same text the library finds either; here a special one is found, else the first.
        foreach (int i in Enumerable.Range(0, this.tokens.Length).OrderBy(i => this.tokens[i].Special ? 0 : 1))
            (this.tokens[i].Normalized ? normalized : raw).Add(contentOfId[this.tokens[i].Id], i);
    }

    public IReadOnlyList<AddedToken> Tokens => tokens;

    public int? IdOf(string content) => byContent.TryGetValue(content, out AddedToken? token) ? token.Id : null;

    /// <summary>The content as it is looked for: normalized where the token says so.</summary>
    public string? ContentOf(int id) => contentOfId.GetValueOrDefault(id);

    /// <summary>Whether a token's string is that of a special token; one that is looked for in normalized text and changed by that never is, as in the library.</summary>
    public bool IsSpecial(string content) => specialContents.Contains(content);

    /// <summary>Cuts the text at the added tokens; the pieces between them come normalized.</summary>
    /// <param name="guarded">Places of the original text, in order, that no added token may take; needs <paramref name="hasPlaces"/>.</param>
    public void Split(TextPiece text, bool splitSpecialTokens, bool hasPlaces, List<Segment> output, int[]? guarded = null)
    {
        List<Segment> first = [];
        Find(raw, text, splitSpecialTokens, first, guarded);
        foreach (Segment segment in first)
        {
            if (segment.AddedId >= 0)
            {
                output.Add(segment);
                continue;
            }

            TextPiece piece = normalizer is null ? segment.Piece : normalizer.Normalize(segment.Piece, hasPlaces);
            Find(normalized, piece, splitSpecialTokens, output, guarded);
        }
    }

    private void Find(TokenTrie trie, TextPiece text, bool splitSpecialTokens, List<Segment> output, int[]? guarded)
    {
        ReadOnlySpan<char> span = text.Span;
        int done = 0;
        int from = 0;
        int whitespaceEnd = 0; // the end of the whitespace that the last such match took
        while (!trie.IsEmpty && trie.TryFind(span, from, out int start, out int length, out int index))
        {
            AddedToken token = tokens[index];
            int stop = start + length;
            from = stop;
            if ((splitSpecialTokens && token.Special) || (token.SingleWord && IsBesideWord(span, start, stop)) || (guarded is { Length: > 0 } && Holds(text.Slice(start, length), guarded)))
                continue;
            if (token.Lstrip)
            {
                // What an earlier match took is not looked at again: whitespace may itself be an added token.
                while (start > done && UnicodeClasses.IsWhiteSpace(span[start - 1]))
                    start--;
                start = Math.Max(start, done);
            }

            if (token.Rstrip)
            {
                stop = Math.Max(stop, whitespaceEnd);
                while (stop < span.Length && UnicodeClasses.IsWhiteSpace(span[stop]))
                    stop++;
                whitespaceEnd = stop;
            }

            // A match that begins in whitespace which an earlier one took still counts, as in the library.
            if (start > done)
                output.Add(new Segment(text.Slice(done, start - done), -1));
            if (stop > start)
                output.Add(new Segment(text.Slice(start, stop - start), token.Id));
            done = stop;
        }

        if (done < span.Length)
            output.Add(new Segment(text.Slice(done, span.Length - done), -1));
    }

    private static bool Holds(TextPiece match, int[] guarded)
    {
        int at = Array.BinarySearch(guarded, match.Text.StartOf(match.Start));
        at = at < 0 ? ~at : at;
        return at < guarded.Length && guarded[at] < match.Text.EndOf(match.End - 1);
    }

    private static bool IsBesideWord(ReadOnlySpan<char> text, int start, int stop) =>
        (start > 0 && UnicodeClasses.IsWordBesideAddedToken(UnicodeClasses.CodePointBefore(text, start, out _)))
        || (stop < text.Length && UnicodeClasses.IsWordBesideAddedToken(UnicodeClasses.CodePointAt(text, stop, out _)));
}
