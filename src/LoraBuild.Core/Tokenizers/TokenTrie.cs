// Finds which of many strings stands at a place of the text, taking the longest.
namespace LoraBuild.Core.Tokenizers;

/// <summary>A trie over UTF-16 units; immutable once built.</summary>
internal sealed class TokenTrie
{
    private readonly List<Dictionary<char, int>> children = [[]];
    private readonly List<int> values = [-1];
    private readonly bool[] starts = new bool[char.MaxValue + 1];
    private System.Buffers.SearchValues<char>? firstChars;

    public bool IsEmpty { get; private set; } = true;

    /// <summary>Adds a string; the first one to bring it keeps the value. The empty string is never found.</summary>
    public void Add(string text, int value)
    {
        if (text.Length == 0)
            return;
        IsEmpty = false;
        starts[text[0]] = true;
        firstChars = null;
        int node = 0;
        foreach (char c in text)
        {
            if (!children[node].TryGetValue(c, out int next))
            {
                next = children.Count;
                children.Add([]);
                values.Add(-1);
                children[node].Add(c, next);
            }

            node = next;
        }

        if (values[node] < 0)
            values[node] = value;
    }

    /// <summary>The leftmost-longest match at or behind <paramref name="from"/>.</summary>
    public bool TryFind(ReadOnlySpan<char> text, int from, out int start, out int length, out int value)
    {
        System.Buffers.SearchValues<char> first = firstChars ??= BuildFirstChars();
        for (start = from; start < text.Length; start++)
        {
            int skip = text[start..].IndexOfAny(first);
            if (skip < 0)
                break;
            start += skip;
            if (TryMatch(text[start..], out length, out value))
                return true;
        }

        (start, length, value) = (0, 0, -1);
        return false;
    }

    /// <summary>The longest string that the text begins with.</summary>
    private bool TryMatch(ReadOnlySpan<char> text, out int length, out int value)
    {
        (length, value) = (0, -1);
        int node = 0;
        for (int i = 0; i < text.Length && children[node].TryGetValue(text[i], out node); i++)
        {
            if (values[node] >= 0)
                (length, value) = (i + 1, values[node]);
        }

        return length > 0;
    }

    private System.Buffers.SearchValues<char> BuildFirstChars() =>
        System.Buffers.SearchValues.Create([.. Enumerable.Range(0, starts.Length).Where(c => starts[c]).Select(c => (char)c)]);
}
