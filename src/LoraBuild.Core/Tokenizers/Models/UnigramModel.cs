// Unigram: the segmentation with the highest sum of log probabilities (Kudo 2018), by Viterbi.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Models;

internal sealed class UnigramModel : IModel
{
    private const double UnknownPenalty = 10; // SentencePiece's kUnkPenalty

    private readonly double[] scores;
    private readonly int unknownId;
    private readonly double unknownScore;
    private readonly bool hasByteFallback;
    private readonly PieceTrie pieces;
    private readonly int[] fallbackIds = new int[256];

    /// <param name="scores">The log probability of each id.</param>
    /// <param name="unknownId">−1: none; then a text with an unknown character cannot be encoded.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int unknownId, bool hasByteFallback)
    {
        Vocabulary = vocabulary;
        this.scores = scores;
        this.unknownId = unknownId;
        this.hasByteFallback = hasByteFallback;
        unknownScore = (scores.Length == 0 ? 0 : scores.Min()) - UnknownPenalty;
        pieces = new PieceTrie(vocabulary);
        for (int b = 0; b < 256; b++)
            fallbackIds[b] = vocabulary.IdOf(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"<0x{b:X2}>")) ?? -1;
    }

    public Vocabulary Vocabulary { get; }

    public bool ShowsUnknownText => true;

    public int? UnknownId => unknownId < 0 ? null : unknownId;

    public void Tokenize(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        if (word.Length > WordCache.LongestWord)
        {
            TokenizeUncached(word, scratch.Lattice, output);
            return;
        }

        uint hash = WordCache.Hash(word);
        if (scratch.Cache.TryAppend(word, hash, output))
            return;
        TokenBuffer places = scratch.Places;
        places.Clear();
        TokenizeUncached(word, scratch.Lattice, places);
        scratch.Cache.Add(word, hash, places);
        output.AddRange(places);
    }

    private void TokenizeUncached(ReadOnlySpan<char> word, UnigramLattice lattice, TokenBuffer output)
    {
        lattice.Start(word.Length);
        for (int start = 0; start < word.Length;)
        {
            UnicodeClasses.CodePointAt(word, start, out int units);
            bool hasSingle = false;
            int node = PieceTrie.Root;
            for (int at = start; at < word.Length && (node = pieces.Next(node, word[at])) >= 0; at++)
            {
                if (pieces.IdAt(node) is >= 0 and int id)
                {
                    lattice.Offer(start, at + 1, id, scores[id]);
                    hasSingle |= at + 1 == start + units;
                }
            }

            if (!hasSingle)
                lattice.Offer(start, start + units, unknownId, unknownScore);
            start += units;
        }

        foreach ((int start, int end, int id) in lattice.BestPath(word.Length, unknownId))
        {
            if (id == unknownId && hasByteFallback && TryAddBytes(word, start, end, output))
                continue;
            if (id >= 0)
                output.Add(id, start, end);
        }
    }

    private bool TryAddBytes(ReadOnlySpan<char> word, int start, int end, TokenBuffer output)
    {
        byte[] bytes = new byte[System.Text.Encoding.UTF8.GetByteCount(word[start..end])];
        System.Text.Encoding.UTF8.GetBytes(word[start..end], bytes);
        if (Array.Exists(bytes, b => fallbackIds[b] < 0))
            return false;
        foreach (byte b in bytes)
            output.Add(fallbackIds[b], start, end);
        return true;
    }
}
