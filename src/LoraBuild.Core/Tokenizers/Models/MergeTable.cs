// Which two symbols merge, with what rank, into what.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>A hash table with open addressing from a pair of ids to (rank, merged id). Immutable once built.</summary>
internal sealed class MergeTable
{
    private readonly ulong[] keys;
    private readonly ulong[] values; // rank in the high half, merged id in the low one; ulong.MaxValue: empty
    private readonly int shift;

    public MergeTable(int capacity)
    {
        int bits = Math.Max(4, 33 - System.Numerics.BitOperations.LeadingZeroCount((uint)Math.Max(1, capacity)));
        keys = new ulong[1 << bits];
        values = new ulong[1 << bits];
        Array.Fill(values, None);
        shift = 64 - bits;
    }

    public const ulong None = ulong.MaxValue;

    public int Count { get; private set; }

    /// <summary>Adds a merge; of a pair that comes twice the later rank counts, as in a map that is filled in order.</summary>
    public void Add(int left, int right, int rank, int merged)
    {
        ulong key = Key(left, right);
        int at = Slot(key);
        while (values[at] != None && keys[at] != key)
            at = (at + 1) & (keys.Length - 1);
        Count += values[at] == None ? 1 : 0;
        keys[at] = key;
        values[at] = ((ulong)(uint)rank << 32) | (uint)merged;
    }

    /// <summary>The rank in the high half and the merged id in the low one, so that the smaller value merges first; or <see cref="None"/>.</summary>
    public ulong Find(int left, int right)
    {
        ulong key = Key(left, right);
        int at = Slot(key);
        while (true)
        {
            ulong value = values[at];
            if (value == None || keys[at] == key)
                return value;
            at = (at + 1) & (keys.Length - 1);
        }
    }

    /// <summary>Whether any merge joins one of these symbols to another or makes it.</summary>
    public bool UsesAny(IReadOnlySet<int> ids)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] != None && (ids.Contains((int)(keys[i] >> 32)) || ids.Contains((int)(uint)keys[i]) || ids.Contains((int)(uint)values[i])))
                return true;
        }

        return false;
    }

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong key) => (int)((key * 0x9E3779B97F4A7C15UL) >> shift);
}
