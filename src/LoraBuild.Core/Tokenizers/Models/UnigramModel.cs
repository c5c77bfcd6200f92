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
    private readonly int longestPiece;
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
        foreach (string token in vocabulary.Tokens)
            longestPiece = Math.Max(longestPiece, token.Length);
        for (int b = 0; b < 256; b++)
            fallbackIds[b] = vocabulary.IdOf(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"<0x{b:X2}>")) ?? -1;
    }

    public Vocabulary Vocabulary { get; }

    public bool ShowsUnknownText => true;

    public int? UnknownId => unknownId < 0 ? null : unknownId;

    public void Tokenize(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        // best[i]: the best way to write the first i units: its score, where its last piece begins, and that piece's id.
        var best = new double[word.Length + 1];
        var from = new int[word.Length + 1];
        var ids = new int[word.Length + 1];
        Array.Fill(from, -1);
        from[0] = 0;
        for (int start = 0; start < word.Length;)
        {
            UnicodeClasses.CodePointAt(word, start, out int units);
            bool hasSingle = false;
            int last = Math.Min(word.Length, start + longestPiece);
            for (int end = start + units; end <= last;)
            {
                if (Vocabulary.TryGetId(word[start..end], out int id))
                {
                    Offer(start, end, id, scores[id], best, from, ids);
                    hasSingle |= end == start + units;
                }

                if (end == word.Length)
                    break;
                UnicodeClasses.CodePointAt(word, end, out int more);
                end += more;
            }

            if (!hasSingle)
                Offer(start, start + units, unknownId, unknownScore, best, from, ids);
            start += units;
        }

        Append(word, from, ids, output);
    }

    private static void Offer(int start, int end, int id, double score, double[] best, int[] from, int[] ids)
    {
        double total = best[start] + score;
        if (from[end] >= 0 && total <= best[end])
            return;
        best[end] = total;
        from[end] = start;
        ids[end] = id;
    }

    /// <summary>Writes the pieces in order; neighbouring unknown characters become one piece.</summary>
    private void Append(ReadOnlySpan<char> word, int[] from, int[] ids, TokenBuffer output)
    {
        List<(int Start, int End, int Id)> pieces = [];
        for (int end = word.Length; end > 0; end = from[end])
        {
            if (ids[end] == unknownId && pieces.Count > 0 && pieces[^1].Id == unknownId)
                pieces[^1] = (from[end], pieces[^1].End, unknownId);
            else
                pieces.Add((from[end], end, ids[end]));
        }

        for (int i = pieces.Count - 1; i >= 0; i--)
        {
            (int start, int end, int id) = pieces[i];
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
