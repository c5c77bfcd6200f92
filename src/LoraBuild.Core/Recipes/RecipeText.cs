// Words for messages and for canonical text: the shortest YAML that means a value, and the nearest of several words.
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Recipes;

internal static class RecipeText
{
    private const int MaxShown = 60;

    /// <summary>A number as the shortest text that reads back as the same number.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');

    /// <summary>Text as YAML: plain where that is unambiguous, else in double quotes.</summary>
    public static string Scalar(string text)
    {
        bool isPlain = text.Length > 0 && char.IsAsciiLetter(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/' or '@')
            && text.ToLowerInvariant() is not ("null" or "true" or "false" or "yes" or "no" or "on" or "off");
        if (isPlain)
            return text;
        StringBuilder quoted = new("\"");
        foreach (char c in text)
        {
            if (c is '"' or '\\')
                quoted.Append('\\').Append(c);
            else if (c is '\n')
                quoted.Append("\\n");
            else if (char.IsControl(c) || char.IsSurrogate(c))
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>A key or value from the user for a message: one line, in quotes, shortened.</summary>
    public static string Quote(string text) => $"'{Shorten(text)}'";

    public static string Shorten(string text)
    {
        string line = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length <= MaxShown ? line : line[..MaxShown] + "…";
    }

    /// <summary>What was found where something else should stand.</summary>
    public static string Describe(RecipeNode node) => node switch
    {
        ScalarNode { IsNull: true } => "nothing (null)",
        ScalarNode { IsPlain: true } plain => Shorten(plain.Text),
        ScalarNode quoted => $"the text \"{Shorten(quoted.Text)}\"",
        ListNode list => FormattableString.Invariant($"a list of {list.Items.Count}"),
        MapNode map => map.Entries.Count == 0 ? "an empty map" : $"a map ({Shorten(string.Join(", ", map.Entries.Take(4).Select(e => e.Key)))})",
        _ => throw new UnreachableException(node.GetType().Name),
    };

    /// <summary>The candidate with the smallest edit distance, or null when none is close enough to be meant.</summary>
    public static string? Nearest(string word, IEnumerable<string> candidates)
    {
        if (word.Length > 100)
            return null;
        string? best = null;
        int bestDistance = Math.Max(2, word.Length / 3) + 1;
        foreach (string candidate in candidates)
        {
            int distance = EditDistance(word.ToLowerInvariant().Replace('-', '_'), candidate);
            if (distance < bestDistance && distance < Math.Max(candidate.Length, word.Length))
                (best, bestDistance) = (candidate, distance);
        }

        return best;
    }

    /// <summary>Levenshtein distance: insertions, deletions and substitutions that turn one word into the other.</summary>
    internal static int EditDistance(string a, string b)
    {
        int[] previous = [.. Enumerable.Range(0, b.Length + 1)];
        int[] current = new int[b.Length + 1];
        for (int i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                current[j] = Math.Min(substitution, Math.Min(previous[j], current[j - 1]) + 1);
            }

            (previous, current) = (current, previous);
        }

        return previous[b.Length];
    }
}
