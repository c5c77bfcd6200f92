// Trains a byte-level BPE: counts words, then merges the most frequent pair again and again.
using System.Runtime.InteropServices;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Training;

/// <summary>
/// Deterministic: the result depends only on the texts' words and their counts. The most frequent pair merges first, among equals
/// the one with the smaller ids. Words longer than <see cref="LongestWordBytes"/> bytes (hex dumps, encoded files) are not counted.
/// </summary>
public static class BpeTrainer
{
    private const int LongestWordBytes = 1024;

    /// <param name="texts">Read once, in order; special tokens inside them are cut out and not trained on.</param>
    /// <exception cref="DiagnosticException">LB0212: the options cannot be fulfilled.</exception>
    public static TrainedBpe Train(IEnumerable<string> texts, BpeTrainerOptions options)
    {
        int least = options.SpecialTokens.Count + 256;
        if (options.VocabularySize < least)
            throw new DiagnosticException("LB0212", $"a vocabulary of {options.VocabularySize} has no room for {options.SpecialTokens.Count} special tokens and 256 bytes; at least {least} is needed");
        if (options.SpecialTokens.Any(t => t.Length == 0) || options.SpecialTokens.Distinct(StringComparer.Ordinal).Count() != options.SpecialTokens.Count)
            throw new DiagnosticException("LB0212", "the special tokens must be different from one another and not empty");
        List<string> vocabulary = [.. options.SpecialTokens];
        var idOfByte = new int[256];
        foreach (int b in Enumerable.Range(0, 256).OrderBy(b => ByteAlphabet.ToChar((byte)b)))
        {
            idOfByte[b] = vocabulary.Count;
            vocabulary.Add(ByteAlphabet.ToChar((byte)b).ToString());
        }

        Dictionary<string, long> counts = CountWords(texts, options);
        BpeMergeCounter counter = new(idOfByte);
        // Sorted, so that nothing depends on the order in which the words came.
        foreach ((string word, long count) in counts.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            byte[] bytes = System.Text.Encoding.UTF8.GetBytes(word);
            if (bytes.Length <= LongestWordBytes)
                counter.AddWord(bytes, count);
        }

        return new TrainedBpe(options, vocabulary, Merge(counter, vocabulary, options));
    }

    private static List<(int Left, int Right)> Merge(BpeMergeCounter counter, List<string> vocabulary, BpeTrainerOptions options)
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        for (int i = 0; i < vocabulary.Count; i++)
            ids[vocabulary[i]] = i;
        List<(int, int)> merges = [];
        counter.Start();
        while (vocabulary.Count < options.VocabularySize && counter.TryTakeBest(options.MinFrequency, out int left, out int right))
        {
            string token = vocabulary[left] + vocabulary[right];
            // Two ways can lead to one string ("ab"+"c", "a"+"bc"): then both merges give the same token.
            if (!ids.TryGetValue(token, out int merged))
            {
                merged = vocabulary.Count;
                vocabulary.Add(token);
                ids.Add(token, merged);
            }
            else if (merged < options.SpecialTokens.Count)
                continue; // spelled like a special token: that id stays reserved

            merges.Add((left, right));
            counter.Merge(left, right, merged);
        }

        return merges;
    }

    private static Dictionary<string, long> CountWords(IEnumerable<string> texts, BpeTrainerOptions options)
    {
        IPreTokenizer preTokenizer = CreatePreTokenizer(options.PreTokenizer);
        AddedVocabulary specials = new([.. options.SpecialTokens.Select((t, i) => new AddedToken(i, t, true, false, false, false, false))], null);
        PreTokenizeContext context = new(new RegexScratch(), HasPlaces: false);
        Dictionary<string, long> counts = new(StringComparer.Ordinal);
        Dictionary<string, long>.AlternateLookup<ReadOnlySpan<char>> lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        List<Segment> segments = [];
        List<TextPiece> words = [];
        foreach (string text in texts)
        {
            string valid = UnicodeClasses.WithoutLoneSurrogates(text);
            segments.Clear();
            specials.Split(new TextPiece(new AlignedText(valid), 0, valid.Length), splitSpecialTokens: false, hasPlaces: false, segments);
            foreach (Segment segment in segments.Where(s => s.AddedId < 0))
            {
                words.Clear();
                preTokenizer.Split(segment.Piece, context, words);
                foreach (TextPiece word in words)
                    CollectionsMarshal.GetValueRefOrAddDefault(lookup, word.Span, out _)++;
            }
        }

        return counts;
    }

    private static IPreTokenizer CreatePreTokenizer(BytePreTokenizer kind)
    {
        ByteLevelPreTokenizer byteLevel = new(addsPrefixSpace: false, usesRegex: true, writesBytes: false);
        return kind == BytePreTokenizer.SmolLm ? new SequencePreTokenizer([new DigitsPreTokenizer(isIndividual: true), byteLevel]) : byteLevel;
    }
}
