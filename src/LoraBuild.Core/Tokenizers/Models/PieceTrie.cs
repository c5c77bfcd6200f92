// All pieces of a vocabulary that begin at one place of a text, found unit by unit.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>A trie over UTF-16 units whose edges lie in one hash table with open addressing. Immutable once built.</summary>
internal sealed class PieceTrie
{
    public const int Root = 0;

    private ulong[] edges = new ulong[1 << 10]; // node, unit and next node + 1; 0: empty
    private int[] ids = [-1];
    private int nodes = 1;
    private int count;

    private const int UnitBits = 16;
    private const int NextBits = 24;
    private const int LargestNode = (1 << NextBits) - 2;

    public PieceTrie(Vocabulary vocabulary)
    {
        for (int id = 0; id < vocabulary.Size; id++)
        {
            if (vocabulary.TokenOf(id) is { Length: > 0 } token)
                Add(token, id);
        }
    }

    /// <summary>The node behind <paramref name="node"/> by this unit, or −1.</summary>
    public int Next(int node, char unit)
    {
        ulong key = Key(node, unit);
        int mask = edges.Length - 1;
        for (int at = Slot(key, mask); ; at = (at + 1) & mask)
        {
            ulong edge = edges[at];
            if (edge == 0)
                return -1;
            if (edge >> NextBits == key)
                return (int)(edge & ((1 << NextBits) - 1)) - 1;
        }
    }

    /// <summary>The piece that ends at this node, or −1.</summary>
    public int IdAt(int node) => ids[node];

    private void Add(string token, int id)
    {
        int node = Root;
        foreach (char unit in token)
        {
            int next = Next(node, unit);
            if (next < 0)
            {
                next = nodes++;
                if (next > LargestNode)
                    throw new InvalidOperationException("the vocabulary has more than sixteen million prefixes");
                if (next == ids.Length)
                    Array.Resize(ref ids, ids.Length * 2);
                ids[next] = -1;
                Insert((Key(node, unit) << NextBits) | (uint)(next + 1));
            }

            node = next;
        }

        ids[node] = id;
    }

    private void Insert(ulong edge)
    {
        if (++count * 2 > edges.Length)
        {
            ulong[] old = edges;
            edges = new ulong[old.Length * 4];
            foreach (ulong moved in old)
            {
                if (moved != 0)
                    Place(moved);
            }
        }

        Place(edge);
    }

    private void Place(ulong edge)
    {
        int mask = edges.Length - 1;
        int at = Slot(edge >> NextBits, mask);
        while (edges[at] != 0)
            at = (at + 1) & mask;
        edges[at] = edge;
    }

    private static ulong Key(int node, char unit) => ((ulong)(uint)node << UnitBits) | unit;

    private static int Slot(ulong key, int mask) => (int)((key * 0x9E3779B97F4A7C15UL) >> 32) & mask;
}
