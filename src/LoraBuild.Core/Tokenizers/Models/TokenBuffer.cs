// Grows as a model writes the tokens of a word into it.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>Ids, and where <see cref="HasPlaces"/> the UTF-16 units of the word that each token covers.</summary>
internal sealed class TokenBuffer(bool hasPlaces)
{
    private int[] ids = new int[64];
    private int[] starts = hasPlaces ? new int[64] : [];
    private int[] ends = hasPlaces ? new int[64] : [];

    public bool HasPlaces { get; } = hasPlaces;

    public int Count { get; private set; }

    public ReadOnlySpan<int> Ids => ids.AsSpan(0, Count);

    public ReadOnlySpan<int> Starts => starts.AsSpan(0, Count);

    public ReadOnlySpan<int> Ends => ends.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void Add(int id, int start, int end)
    {
        Reserve(1);
        ids[Count] = id;
        if (HasPlaces)
        {
            starts[Count] = start;
            ends[Count] = end;
        }

        Count++;
    }

    public void AddRange(ReadOnlySpan<int> newIds)
    {
        Reserve(newIds.Length);
        if (newIds.Length == 1)
            ids[Count] = newIds[0];
        else
            newIds.CopyTo(ids.AsSpan(Count));
        Count += newIds.Length;
    }

    public void AddRange(ReadOnlySpan<int> newIds, ReadOnlySpan<int> newStarts, ReadOnlySpan<int> newEnds)
    {
        Reserve(newIds.Length);
        newIds.CopyTo(ids.AsSpan(Count));
        newStarts.CopyTo(starts.AsSpan(Count));
        newEnds.CopyTo(ends.AsSpan(Count));
        Count += newIds.Length;
    }

    /// <summary>Appends another buffer, whose places are left out where this one keeps none.</summary>
    public void AddRange(TokenBuffer other)
    {
        if (HasPlaces)
            AddRange(other.Ids, other.Starts, other.Ends);
        else
            AddRange(other.Ids);
    }

    /// <summary>The places of the tokens from <paramref name="first"/> on, to be rewritten.</summary>
    public void GetPlaces(int first, out Span<int> newStarts, out Span<int> newEnds)
    {
        newStarts = starts.AsSpan(first, Count - first);
        newEnds = ends.AsSpan(first, Count - first);
    }

    /// <summary>Moves the places of the tokens from <paramref name="first"/> on.</summary>
    public void Shift(int first, int units)
    {
        for (int i = HasPlaces ? first : Count; i < Count; i++)
        {
            starts[i] += units;
            ends[i] += units;
        }
    }

    private void Reserve(int more)
    {
        if (Count + more <= ids.Length)
            return;
        int size = Math.Max(ids.Length * 2, Count + more);
        Array.Resize(ref ids, size);
        if (!HasPlaces)
            return;
        Array.Resize(ref starts, size);
        Array.Resize(ref ends, size);
    }
}
