// The files that a source of the recipe names: one path, or a glob with *, **, ? and [...].
using System.Text;
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Data;

public static class SourceFiles
{
    /// <summary>Absolute paths in ordinal order; empty after LB0101 was reported at the recipe's place.</summary>
    public static IReadOnlyList<string> Expand(DatasetSource source, IDiagnosticSink sink)
    {
        if (File.Exists(source.Path))
            return [source.Path];
        if (source.Path.AsSpan().IndexOfAny('*', '?', '[') < 0)
        {
            string what = Directory.Exists(source.Path) ? "is a directory; name its files with a glob such as " + Path.Combine(source.Path, "*.jsonl") : "does not exist";
            Report(sink, source, $"the data file '{source.Path}' {what}. Relative paths count from the recipe's folder.");
            return [];
        }

        string root = source.Path[..source.Path.AsSpan().IndexOfAny('*', '?', '[')];
        root = Path.GetDirectoryName(root + "x") ?? Path.GetPathRoot(source.Path)!;
        Regex pattern = Pattern(source.Path);
        string[] files = Directory.Exists(root)
            ? [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Where(f => pattern.IsMatch(f.Replace('\\', '/'))).Order(StringComparer.Ordinal)]
            : [];
        if (files.Length == 0)
            Report(sink, source, $"no file matches '{source.Path}'. Relative paths count from the recipe's folder; ** goes through folders.");
        return files;
    }

    private static void Report(IDiagnosticSink sink, DatasetSource source, string message) =>
        sink.Report(Diagnostic.Error("LB0101", message, source.Place.File, source.Place.Line, source.Place.Column));

    private static Regex Pattern(string glob)
    {
        StringBuilder pattern = new("^");
        string text = glob.Replace('\\', '/');
        for (int i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '*' when text.AsSpan(i).StartsWith("**/"):
                    pattern.Append("(?:.*/)?");
                    i += 2;
                    break;
                case '*' when text.AsSpan(i).StartsWith("**"):
                    pattern.Append(".*");
                    i++;
                    break;
                case '*': pattern.Append("[^/]*"); break;
                case '?': pattern.Append("[^/]"); break;
                case '[' when text.IndexOf(']', i + 1) is > 0 and int close:
                    string set = text[(i + 1)..close];
                    pattern.Append('[').Append(set.StartsWith('!') ? "^" + Regex.Escape(set[1..]) : Regex.Escape(set).Replace("]", "\\]", StringComparison.Ordinal)).Append(']');
                    i = close;
                    break;
                default: pattern.Append(Regex.Escape(text[i].ToString())); break;
            }
        }

        return new Regex(pattern.Append('$').ToString(), RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }
}
