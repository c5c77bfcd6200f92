// WordPiece: greedy longest match from the left (BERT), and WordLevel: whole words only.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Models;

/// <param name="prefix">Marks a piece that continues a word, mostly <c>##</c>.</param>
/// <param name="longestWord">In code points; a longer word is unknown.</param>
internal sealed class WordPieceModel(Vocabulary vocabulary, int unknownId, string prefix, int longestWord) : IModel
{
    public Vocabulary Vocabulary => vocabulary;

    public bool ShowsUnknownText => false;

    public int? UnknownId => unknownId;

    public void Tokenize(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        TokenBuffer places = scratch.Places;
        places.Clear();
        if (CountCodePoints(word) > longestWord || !TryMatch(word, places))
        {
            output.Add(unknownId, 0, word.Length);
            return;
        }

        for (int i = 0; i < places.Count; i++)
            output.Add(places.Ids[i], places.Starts[i], places.Ends[i]);
    }

    private bool TryMatch(ReadOnlySpan<char> word, TokenBuffer places)
    {
        int start = 0;
        while (start < word.Length)
        {
            int end = word.Length;
            int id = -1;
            while (end > start && !TryFind(word[start..end], start > 0, out id))
            {
                UnicodeClasses.CodePointBefore(word, end, out int units);
                end -= units;
            }

            if (end <= start)
                return false;
            places.Add(id, start, end);
            start = end;
        }

        return true;
    }

    private bool TryFind(ReadOnlySpan<char> piece, bool isContinuing, out int id) =>
        vocabulary.TryGetId(isContinuing ? string.Concat(prefix, piece) : piece, out id);

    private static int CountCodePoints(ReadOnlySpan<char> word)
    {
        int count = 0;
        foreach (char c in word)
            count += char.IsLowSurrogate(c) ? 0 : 1;
        return count;
    }
}

internal sealed class WordLevelModel(Vocabulary vocabulary, int? unknownId) : IModel
{
    public Vocabulary Vocabulary => vocabulary;

    public bool ShowsUnknownText => false;

    public int? UnknownId => unknownId;

    public void Tokenize(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        if (vocabulary.TryGetId(word, out int id))
            output.Add(id, 0, word.Length);
        else if (unknownId is { } unknown)
            output.Add(unknown, 0, word.Length);
    }
}
