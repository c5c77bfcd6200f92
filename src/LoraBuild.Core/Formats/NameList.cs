// Shortens lists of names for messages.
namespace LoraBuild.Core.Formats;

public static class NameList
{
    /// <summary>The first names and how many more there are: <c>a, b, c and 12 more</c>.</summary>
    public static string Text(IEnumerable<string> names, int shown = 8)
    {
        List<string> all = [.. names];
        if (all.Count == 0)
            return "none";
        string text = string.Join(", ", all.Take(shown));
        return all.Count <= shown ? text : $"{text} and {all.Count - shown} more";
    }
}
