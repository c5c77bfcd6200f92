// The tokens of one text while it is encoded, in columns that are kept between calls.
using System.Runtime.InteropServices;
using LoraBuild.Core.Tokenizers.Models;

namespace LoraBuild.Core.Tokenizers;

/// <summary>One thread at a time.</summary>
internal sealed class TokenColumns
{
    private readonly TokenBuffer tokens = new(hasPlaces: true); // places in the original text, in code points
    private readonly List<int> words = [];
    private readonly List<(int Token, string Text)> ownTexts = []; // of tokens whose text is not the vocabulary's
    private int wordCount;

    public void Clear()
    {
        tokens.Clear();
        words.Clear();
        ownTexts.Clear();
        wordCount = 0;
    }

    /// <summary>An added token, which counts as a word and shows the text that it matched.</summary>
    public void AddAdded(int id, TextPiece piece, CodePointIndex index)
    {
        ownTexts.Add((tokens.Count, piece.Span.ToString()));
        tokens.Add(id, 0, piece.Length);
        FinishWord(tokens.Count - 1, piece, index);
    }

    public void AddWord(IModel model, TextPiece piece, ModelScratch scratch, CodePointIndex index)
    {
        int first = tokens.Count;
        model.Tokenize(piece.Span, scratch, tokens);
        if (model.ShowsUnknownText)
        {
            for (int i = first; i < tokens.Count; i++)
            {
                if (tokens.Ids[i] == model.UnknownId)
                    ownTexts.Add((i, piece.Span[tokens.Starts[i]..tokens.Ends[i]].ToString()));
            }
        }

        FinishWord(first, piece, index);
    }

    public Encoding ToEncoding(Vocabulary vocabulary)
    {
        int[] ids = tokens.Ids.ToArray();
        var texts = new string[ids.Length];
        var offsets = new (int, int)[ids.Length];
        ReadOnlySpan<int> starts = tokens.Starts;
        ReadOnlySpan<int> ends = tokens.Ends;
        int own = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            texts[i] = own < ownTexts.Count && ownTexts[own].Token == i ? ownTexts[own++].Text : vocabulary.TokenOf(ids[i])!;
            offsets[i] = (starts[i], ends[i]);
        }

        return new Encoding
        {
            Ids = ids,
            Tokens = texts,
            Offsets = offsets,
            TypeIds = new int[ids.Length],
            SpecialTokensMask = new bool[ids.Length],
            WordIds = CollectionsMarshal.AsSpan(words).ToArray(),
            SequenceIds = new int[ids.Length],
        };
    }

    /// <summary>Numbers the word of the tokens from <paramref name="first"/> on, and turns their units of the piece into code points of the original text.</summary>
    private void FinishWord(int first, TextPiece piece, CodePointIndex index)
    {
        int count = tokens.Count - first;
        CollectionsMarshal.SetCount(words, words.Count + count);
        CollectionsMarshal.AsSpan(words)[^count..].Fill(wordCount++);
        tokens.GetPlaces(first, out Span<int> starts, out Span<int> ends);
        for (int i = 0; i < count; i++)
        {
            (starts[i], ends[i]) = ends[i] <= starts[i]
                ? (0, 0)
                : (index.Of(piece.Text.StartOf(piece.Start + starts[i])), index.Of(piece.Text.EndOf(piece.Start + ends[i] - 1)));
        }
    }
}
