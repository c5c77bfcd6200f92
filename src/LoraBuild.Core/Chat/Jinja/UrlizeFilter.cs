// `urlize`: web addresses in a text become links.
using System.Numerics;
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class UrlizeFilter
{
    /// <summary>Takes words that begin with http://, https:// or www.; brackets and punctuation around them stay outside.</summary>
    public static object? Apply(Runtime runtime, Arguments arguments)
    {
        object?[] bound = arguments.Bind("urlize", 1, "value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes");
        BigInteger? limit = PyOps.Integer(Arguments.Or(bound[1], null));
        SortedSet<string> relations = new(StringComparer.Ordinal) { "noopener" };
        if (PyOps.IsTrue(Arguments.Or(bound[2], false)))
            relations.Add("nofollow");
        relations.UnionWith(PyText.SplitWhitespace(PyRepr.Str(Arguments.Or(bound[4], ""))));
        string target = Arguments.Or(bound[3], null) is object name ? $" target=\"{HtmlText.Escape(name)}\"" : "";
        StringBuilder result = new();
        foreach (string word in Words(HtmlText.Escape(bound[0])))
        {
            runtime.Budget.Step(4 + (word.Length >> 1));
            string middle = word.TrimStart('(', '<');
            string head = word[..(word.Length - middle.Length)];
            string core = middle.TrimEnd(')', '>', '.', ',');
            string tail = middle[core.Length..];
            bool hasScheme = core.StartsWith("http://", StringComparison.Ordinal) || core.StartsWith("https://", StringComparison.Ordinal);
            if ((!hasScheme && !core.StartsWith("www.", StringComparison.Ordinal)) || !HasHost(core))
            {
                result.Append(word);
                continue;
            }

            string shown = limit is BigInteger most && core.Length > most ? core[..(int)BigInteger.Max(0, most)] + "..." : core;
            runtime.Budget.Step(10);
            string address = hasScheme ? core : "https://" + core;
            result.Append($"{head}<a href=\"{address}\" rel=\"{string.Join(' ', relations)}\"{target}>{shown}</a>{tail}");
            runtime.Budget.Limit(result.Length);
            runtime.Budget.Step((core.Length + target.Length + head.Length) >> 3);
        }

        runtime.Budget.Text(result.Length);
        return result.ToString();
    }

    /// <summary>The host ends with a label of two letters or more, or is four numbers.</summary>
    private static bool HasHost(string address)
    {
        string rest = address[(address.IndexOf("//", StringComparison.Ordinal) is >= 0 and int at ? at + 2 : 0)..];
        int end = rest.IndexOfAny(['/', '?', '#', ':']);
        string[] labels = (end < 0 ? rest : rest[..end]).Split('.');
        return (labels[^1].Length >= 2 && labels[^1].All(char.IsAsciiLetter)) || (labels.Length == 4 && labels.All(l => l.Length is 1 or 2 or 3 && l.All(char.IsAsciiDigit)));
    }

    /// <summary>Runs of blanks and of other characters, in turn.</summary>
    private static IEnumerable<string> Words(string text)
    {
        int start = 0;
        for (int i = 1; i <= text.Length; i++)
        {
            if (i < text.Length && PyText.IsSpace(text[i]) == PyText.IsSpace(text[i - 1]))
                continue;
            yield return text[start..i];
            start = i;
        }
    }
}
