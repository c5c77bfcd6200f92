// Gives back the smallest of the numbers that were put in.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>A heap with four children a node, which touches fewer cache lines than one with two. Its memory is kept.</summary>
internal sealed class MinimumHeap
{
    private ulong[] items = new ulong[64];
    private int count;

    public void Clear() => count = 0;

    /// <summary>Adds without keeping the order; <see cref="Order"/> must follow.</summary>
    public void AddUnordered(ulong item)
    {
        if (count == items.Length)
            Array.Resize(ref items, items.Length * 2);
        items[count++] = item;
    }

    public void Order()
    {
        for (int at = (count - 2) / 4; at >= 0 && count > 1; at--)
            Sink(at, items[at]);
    }

    public void Add(ulong item)
    {
        AddUnordered(item);
        int at = count - 1;
        while (at > 0 && items[(at - 1) / 4] > item)
        {
            items[at] = items[(at - 1) / 4];
            at = (at - 1) / 4;
        }

        items[at] = item;
    }

    public bool TryTake(out ulong smallest)
    {
        if (count == 0)
        {
            smallest = 0;
            return false;
        }

        smallest = items[0];
        ulong last = items[--count];
        if (count > 0)
            Sink(0, last);
        return true;
    }

    /// <summary>Puts an item at a place from where it moves down past smaller ones.</summary>
    private void Sink(int at, ulong item)
    {
        ulong[] heap = items;
        while (true)
        {
            int first = (at * 4) + 1;
            if (first >= count)
                break;
            int best = first;
            int end = Math.Min(first + 4, count);
            for (int child = first + 1; child < end; child++)
            {
                if (heap[child] < heap[best])
                    best = child;
            }

            if (heap[best] >= item)
                break;
            heap[at] = heap[best];
            at = best;
        }

        heap[at] = item;
    }
}
