// The merge loop of byte-pair encoding over the symbols of one word.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>
/// Lowest rank first, then leftmost. Short words scan for the best pair; long ones keep a heap and a linked list,
/// which is n log n in the word's length.
/// </summary>
internal sealed class BpeWord
{
    private const int LongestScanned = 40;

    private int[] ids = new int[64];
    private int[] lengths = new int[64];
    private int[] previous = [];
    private int[] next = [];
    private ulong[] pairs = new ulong[64];
    private readonly MinimumHeap heap = new();

    public int Count { get; private set; }

    public ReadOnlySpan<int> Ids => ids.AsSpan(0, Count);

    /// <summary>The lengths of the symbols, in the unit in which they were added.</summary>
    public ReadOnlySpan<int> Lengths => lengths.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void Add(int id, int length)
    {
        if (Count == ids.Length)
        {
            Array.Resize(ref ids, ids.Length * 2);
            Array.Resize(ref lengths, ids.Length);
        }

        ids[Count] = id;
        lengths[Count++] = length;
    }

    public void Merge(MergeTable merges)
    {
        if (Count < 2)
            return;
        if (Count <= LongestScanned)
            MergeByScan(merges);
        else
            MergeByHeap(merges);
    }

    private void MergeByScan(MergeTable merges)
    {
        int n = Count;
        Span<int> symbol = ids.AsSpan(0, n);
        Span<int> length = lengths.AsSpan(0, n);
        Span<ulong> pair = pairs.AsSpan(0, n);
        for (int i = 0; i < n - 1; i++)
            pair[i] = merges.Find(symbol[i], symbol[i + 1]);
        while (n > 1)
        {
            int best = 0;
            ulong bestPair = pair[0];
            for (int i = 1; i < n - 1; i++)
            {
                // Ranks differ between different pairs, so equal values are the same pair and the leftmost stays.
                if (pair[i] < bestPair)
                    (best, bestPair) = (i, pair[i]);
            }

            if (bestPair == MergeTable.None)
                break;
            symbol[best] = (int)(uint)bestPair;
            length[best] += length[best + 1];
            symbol[(best + 2)..n].CopyTo(symbol[(best + 1)..]);
            length[(best + 2)..n].CopyTo(length[(best + 1)..]);
            if (best + 2 < n)
                pair[(best + 2)..n].CopyTo(pair[(best + 1)..]);
            n--;
            if (best > 0)
                pair[best - 1] = merges.Find(symbol[best - 1], symbol[best]);
            if (best < n - 1)
                pair[best] = merges.Find(symbol[best], symbol[best + 1]);
        }

        Count = n;
    }

    private void MergeByHeap(MergeTable merges)
    {
        int n = Count;
        if (next.Length < n)
        {
            next = new int[ids.Length];
            previous = new int[ids.Length];
        }

        // An entry is the rank and the left position of a pair; one whose pair has another rank by now is stale.
        heap.Clear();
        for (int i = 0; i < n; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < n ? i + 1 : -1;
            if (i + 1 < n && merges.Find(ids[i], ids[i + 1]) is not MergeTable.None and ulong pair)
                heap.AddUnordered(Entry(pair, i));
        }

        heap.Order();
        while (heap.TryTake(out ulong entry))
        {
            int at = (int)(uint)entry;
            int right = next[at];
            if (lengths[at] < 0 || right < 0 || merges.Find(ids[at], ids[right]) is var pair && (pair == MergeTable.None || pair >> 32 != entry >> 32))
                continue;
            ids[at] = (int)(uint)pair;
            lengths[at] += lengths[right];
            lengths[right] = -1;
            next[at] = next[right];
            if (next[at] >= 0)
                previous[next[at]] = at;
            if (previous[at] >= 0 && merges.Find(ids[previous[at]], ids[at]) is not MergeTable.None and ulong before)
                heap.Add(Entry(before, previous[at]));
            if (next[at] >= 0 && merges.Find(ids[at], ids[next[at]]) is not MergeTable.None and ulong after)
                heap.Add(Entry(after, at));
        }

        int written = 0;
        for (int i = 0; i >= 0; i = next[i])
        {
            ids[written] = ids[i];
            lengths[written++] = lengths[i];
        }

        Count = written;
    }

    private static ulong Entry(ulong pair, int position) => (pair & 0xFFFFFFFF_00000000) | (uint)position;
}
