// Lists, maps, paths and the few values with a form of their own.
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

/// <summary>The value of <c>adapter.target_modules</c>: names, or one pattern (<c>all-linear</c> or a regular expression).</summary>
internal sealed record TargetModules(IReadOnlyList<string> Names, string? Pattern);

internal static partial class CompositeKinds
{
    public static ValueKind<IReadOnlyList<T>> ListOf<T>(ValueKind<T> kind, string plural)
    {
        return new($"list of {plural}", kind.Allowed, Read, (values, baseDirectory) => $"[{string.Join(", ", values.Select(v => kind.Format(v, baseDirectory)))}]");

        bool Read(RecipeNode node, string key, IDiagnosticSink sink, out IReadOnlyList<T> value)
        {
            List<T> items = [];
            value = items;
            if (node is not ListNode list)
                return ValueKinds.WrongType(node, key, sink, $"a list of {plural}");
            bool isRead = true;
            for (int i = 0; i < list.Items.Count; i++)
            {
                isRead &= kind.TryRead(list.Items[i], FormattableString.Invariant($"{key}[{i}]"), sink, out T item);
                items.Add(item);
            }

            return isRead;
        }
    }

    /// <summary>A map with keys of the user's own; written sorted by key.</summary>
    /// <param name="checkKey">Null when the key is right, else what is allowed.</param>
    public static ValueKind<IReadOnlyDictionary<string, T>> MapOf<T>(ValueKind<T> kind, string words, Func<string, string?>? checkKey = null)
    {
        return new($"map of {words}", kind.Allowed, Read, Format);

        bool Read(RecipeNode node, string key, IDiagnosticSink sink, out IReadOnlyDictionary<string, T> value)
        {
            SortedDictionary<string, T> items = new(StringComparer.Ordinal);
            value = items;
            if (node is not MapNode map)
                return ValueKinds.WrongType(node, key, sink, $"a map of {words}");
            bool isRead = true;
            foreach (MapEntry entry in map.Entries)
            {
                if (checkKey?.Invoke(entry.Key) is { } allowed)
                {
                    sink.Report(Diagnostic.Error("LB0008", $"a key of {key} must be {allowed}, got {RecipeText.Quote(entry.Key)}.", entry.KeyPlace.File, entry.KeyPlace.Line, entry.KeyPlace.Column));
                    isRead = false;
                    continue;
                }

                isRead &= kind.TryRead(entry.Value, $"{key}.{RecipeText.Shorten(entry.Key)}", sink, out T item);
                items[entry.Key] = item;
            }

            return isRead;
        }

        string Format(IReadOnlyDictionary<string, T> values, string baseDirectory) =>
            values.Count == 0 ? "{}" : $"{{ {string.Join(", ", values.OrderBy(v => v.Key, StringComparer.Ordinal).Select(v => $"{RecipeText.Scalar(v.Key)}: {kind.Format(v.Value, baseDirectory)}"))} }}";
    }

    /// <summary>A file or folder; absolute afterwards. Canonical text has it relative to the recipe's folder.</summary>
    public static ValueKind<string> DataPath { get; } = new(
        "path", "globs (*, **, ?) allowed", ReadDataPath, (value, baseDirectory) => RecipeText.Scalar(Path.GetRelativePath(baseDirectory, value).Replace('\\', '/')));

    /// <summary>A folder; absolute afterwards. Its name is no part of canonical text: what is inside is hashed elsewhere.</summary>
    public static ValueKind<string> AdapterDirectory { get; } = new("path", "a directory with a PEFT adapter", ReadAdapterDirectory, (_, _) => "directory");

    /// <summary>A directory (absolute afterwards), or a hub id, which is kept. A directory's name is no part of canonical text.</summary>
    public static ValueKind<string> Model { get; } = new(
        "path or hub id", "a directory, or org/name with optional @revision", ReadModel, (value, _) => Path.IsPathRooted(value) ? "directory" : RecipeText.Scalar(value));

    public static ValueKind<string> ChatTemplate { get; } = new(
        "text", "auto (the model's own), a template file, a built-in template's name, or model:DIR", ReadChatTemplate, FormatChatTemplate);

    public static ValueKind<TargetModules> TargetModules { get; } = new(
        "list of module names, or text", "names such as q_proj, the word all-linear, or one regular expression that matches whole module paths", ReadTargetModules, FormatTargetModules);

    /// <summary>A name that is safe as part of a file name.</summary>
    public static ValueKind<string> FileName { get; } = new(
        "text", "letters, digits, spaces and . _ -, at most 100", ReadFileName, (value, _) => RecipeText.Scalar(value));

    /// <summary>A recipe file's own name with what <see cref="FileName"/> refuses replaced.</summary>
    public static string FileNameFrom(string path)
    {
        string name = NotInFileName().Replace(Path.GetFileNameWithoutExtension(path), "-").TrimStart('.', ' ', '-').TrimEnd('.', ' ');
        return name.Length == 0 ? "recipe" : name[..Math.Min(name.Length, 100)];
    }

    private static bool ReadDataPath(RecipeNode node, string key, IDiagnosticSink sink, out string value) => ReadPath(node, key, sink, "a path", out value);

    private static bool ReadAdapterDirectory(RecipeNode node, string key, IDiagnosticSink sink, out string value) => ReadPath(node, key, sink, "a directory", out value);

    private static bool ReadPath(RecipeNode node, string key, IDiagnosticSink sink, string expected, out string value)
    {
        if (!ReadNonEmpty(node, key, sink, expected, out value))
            return false;
        value = Path.GetFullPath(value, node.Origin.BaseDirectory);
        return true;
    }

    private static bool ReadModel(RecipeNode node, string key, IDiagnosticSink sink, out string value)
    {
        if (!ReadNonEmpty(node, key, sink, "a directory or a hub id", out value))
            return false;
        value = ResolveModel(value, node.Origin.BaseDirectory);
        return true;
    }

    /// <summary>A directory when it is written as a path or exists beside the recipe; else a hub id.</summary>
    private static string ResolveModel(string text, string baseDirectory)
    {
        string full = Path.GetFullPath(text, baseDirectory);
        bool isWrittenAsPath = Path.IsPathRooted(text) || text is "." or ".." || text.StartsWith("./", StringComparison.Ordinal) || text.StartsWith("../", StringComparison.Ordinal)
            || text.Contains('\\', StringComparison.Ordinal);
        return isWrittenAsPath || Directory.Exists(full) ? Path.TrimEndingDirectorySeparator(full) : text;
    }

    private const string ModelPrefix = "model:";

    private static bool ReadChatTemplate(RecipeNode node, string key, IDiagnosticSink sink, out string value)
    {
        if (!ReadNonEmpty(node, key, sink, "auto, a file, a name or model:DIR", out value))
            return false;
        if (value.StartsWith(ModelPrefix, StringComparison.Ordinal))
            value = ModelPrefix + ResolveModel(value[ModelPrefix.Length..], node.Origin.BaseDirectory);
        else if (LooksLikeFile(value) || File.Exists(Path.GetFullPath(value, node.Origin.BaseDirectory)))
            value = Path.GetFullPath(value, node.Origin.BaseDirectory);
        return true;
    }

    private static bool LooksLikeFile(string text) =>
        text.Contains('/', StringComparison.Ordinal) || text.Contains('\\', StringComparison.Ordinal) || Path.GetExtension(text) is ".jinja" or ".jinja2" or ".j2" or ".txt";

    private static string FormatChatTemplate(string value, string baseDirectory)
    {
        if (Path.IsPathRooted(value))
            return "file";
        return value.StartsWith(ModelPrefix, StringComparison.Ordinal) && Path.IsPathRooted(value[ModelPrefix.Length..]) ? "model" : RecipeText.Scalar(value);
    }

    private static bool ReadFileName(RecipeNode node, string key, IDiagnosticSink sink, out string value) =>
        ValueKinds.ReadText(node, key, sink, out value)
        && (value == FileNameFrom(value + ".yaml")
            || ValueKinds.Refuse("LB0012", node, sink, $"{key} must be made of letters, digits, spaces and . _ - (at most 100, no . or space at an end), because it becomes part of file names; got {RecipeText.Describe(node)}."));

    private static bool ReadNonEmpty(RecipeNode node, string key, IDiagnosticSink sink, string expected, out string value) =>
        ValueKinds.ReadText(node, key, sink, out value)
        && ((value.Trim().Length > 0 && !value.Contains('\0', StringComparison.Ordinal)) || ValueKinds.WrongType(node, key, sink, expected));

    private static bool ReadTargetModules(RecipeNode node, string key, IDiagnosticSink sink, out TargetModules value)
    {
        value = new TargetModules([], null);
        if (node is ListNode)
        {
            if (!ListOf(ValueKinds.Text, "module names").TryRead(node, key, sink, out IReadOnlyList<string> names))
                return false;
            value = new TargetModules(names, null);
            return true;
        }

        if (node is not ScalarNode { IsNull: false } scalar || scalar.Text.Length == 0)
            return ValueKinds.WrongType(node, key, sink, "a list of module names, all-linear, or a regular expression");
        if (scalar.Text.Contains(',', StringComparison.Ordinal) && ModuleNames().IsMatch(scalar.Text))
            return ValueKinds.WrongType(node, key, sink, $"a list of module names: [{string.Join(", ", scalar.Text.Split(',', StringSplitOptions.TrimEntries))}]");
        if (scalar.Text != "all-linear" && ModuleName().IsMatch(scalar.Text))
        {
            value = new TargetModules([scalar.Text], null);
            return true;
        }

        value = new TargetModules([], scalar.Text);
        if (scalar.Text == "all-linear")
            return true;
        try
        {
            _ = new Regex(scalar.Text, RegexOptions.CultureInvariant);
            return true;
        }
        catch (RegexParseException e)
        {
            return ValueKinds.Refuse("LB0016", node, sink, $"{key} is not a regular expression: {e.Message} Allowed are a list of module names, all-linear, or a regular expression.");
        }
    }

    private static string FormatTargetModules(TargetModules value, string baseDirectory) =>
        value.Pattern is { } pattern ? RecipeText.Scalar(pattern) : ListOf(ValueKinds.Text, "").Format(value.Names, baseDirectory);

    [GeneratedRegex(@"^\w+(\.\w+)*$", RegexOptions.CultureInvariant)]
    private static partial Regex ModuleName();

    [GeneratedRegex(@"^[\w. ,]+$", RegexOptions.CultureInvariant)]
    private static partial Regex ModuleNames();

    [GeneratedRegex(@"[^\p{L}\p{Nd}._ -]", RegexOptions.CultureInvariant)]
    private static partial Regex NotInFileName();
}
