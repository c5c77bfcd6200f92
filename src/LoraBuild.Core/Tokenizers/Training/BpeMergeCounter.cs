// The words of a corpus as symbols, with the count of every neighbouring pair kept up to date while pairs merge.
using System.Runtime.InteropServices;

namespace LoraBuild.Core.Tokenizers.Training;

/// <summary>A merge touches only the words that hold the pair; the best pair comes from a heap whose stale entries are put right when they come up.</summary>
internal sealed class BpeMergeCounter(int[] idOfByte)
{
    private readonly List<int> symbols = [];
    private readonly List<(int Start, int Length, long Count)> words = [];
    private readonly Dictionary<ulong, long> countOfPair = [];
    private readonly Dictionary<ulong, List<int>> wordsOfPair = [];
    private readonly PriorityQueue<ulong, (long NegativeCount, ulong Pair)> queue = new();
    private readonly HashSet<ulong> grown = [];

    public void AddWord(ReadOnlySpan<byte> bytes, long count)
    {
        words.Add((symbols.Count, bytes.Length, count));
        foreach (byte b in bytes)
            symbols.Add(idOfByte[b]);
    }

    /// <summary>Counts all pairs; to be called once, after the last word.</summary>
    public void Start()
    {
        for (int w = 0; w < words.Count; w++)
        {
            (int start, int length, long count) = words[w];
            for (int i = start; i < start + length - 1; i++)
                Change(Pair(symbols[i], symbols[i + 1]), count, w);
        }

        Enqueue();
    }

    /// <summary>Takes the pair with the highest count, among equals the one with the smaller ids; false when none is frequent enough.</summary>
    public bool TryTakeBest(long minFrequency, out int left, out int right)
    {
        while (queue.TryDequeue(out ulong pair, out (long NegativeCount, ulong Pair) priority))
        {
            long count = countOfPair.GetValueOrDefault(pair);
            if (count != -priority.NegativeCount)
            {
                // It went down since; a count that went up has an entry of its own.
                if (count > 0 && count < -priority.NegativeCount)
                    queue.Enqueue(pair, (-count, pair));
                continue;
            }

            if (count < Math.Max(1, minFrequency))
                break;
            (left, right) = ((int)(pair >> 32), (int)(uint)pair);
            return true;
        }

        (left, right) = (0, 0);
        return false;
    }

    /// <summary>Replaces the pair by the merged symbol in every word.</summary>
    public void Merge(int left, int right, int merged)
    {
        ulong pair = Pair(left, right);
        if (!wordsOfPair.Remove(pair, out List<int>? holders))
            return;
        Span<int> all = CollectionsMarshal.AsSpan(symbols);
        int previousHolder = -1;
        foreach (int w in holders)
        {
            // A word stands once for each time that the pair occurred in it, always in a row.
            if (w == previousHolder)
                continue;
            previousHolder = w;
            (int start, int length, long count) = words[w];
            Span<int> word = all.Slice(start, length);
            if (!Contains(word, left, right))
                continue;
            for (int i = 0; i < length - 1; i++)
                Change(Pair(word[i], word[i + 1]), -count, -1);
            int written = 0;
            for (int i = 0; i < length; i++)
            {
                bool merges = i + 1 < length && word[i] == left && word[i + 1] == right;
                word[written++] = merges ? merged : word[i];
                i += merges ? 1 : 0;
            }

            words[w] = (start, written, count);
            for (int i = 0; i < written - 1; i++)
            {
                bool isNew = word[i] == merged || word[i + 1] == merged;
                Change(Pair(word[i], word[i + 1]), count, isNew ? w : -1);
            }
        }

        countOfPair.Remove(pair);
        Enqueue();
    }

    private static bool Contains(ReadOnlySpan<int> word, int left, int right)
    {
        for (int i = 0; i < word.Length - 1; i++)
        {
            if (word[i] == left && word[i + 1] == right)
                return true;
        }

        return false;
    }

    /// <param name="holder">The word in which the pair is new, or −1.</param>
    private void Change(ulong pair, long change, int holder)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(countOfPair, pair, out _) += change;
        if (holder < 0)
            return;
        ref List<int>? holders = ref CollectionsMarshal.GetValueRefOrAddDefault(wordsOfPair, pair, out _);
        (holders ??= []).Add(holder);
        grown.Add(pair);
    }

    private void Enqueue()
    {
        foreach (ulong pair in grown)
        {
            if (countOfPair.GetValueOrDefault(pair) is > 0 and long count)
                queue.Enqueue(pair, (-count, pair));
        }

        grown.Clear();
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
