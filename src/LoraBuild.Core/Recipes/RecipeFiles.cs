// A recipe file with everything that it extends, merged into one tree.
using System.Text;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

/// <summary>Loads recipe files. Every error is reported; a file with errors counts as empty, so that the others' errors are found too.</summary>
internal sealed class RecipeFiles(IDiagnosticSink sink)
{
    public const string ExtendsKey = "extends";
    private const string PresetPrefix = "preset:";
    private const int MaxChain = 16;

    // UTF-8: at most 4 bytes a character.
    private const int MaxBytes = 4 * RecipeYaml.MaxCharacters;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    // Several files may extend the same one: its errors are reported once.
    private readonly Dictionary<string, MapNode?> loaded = new(StringComparer.Ordinal);
    private readonly List<string> chain = [];

    /// <summary>The file's own values over those of the recipes that it extends; null when it could not be read.</summary>
    /// <param name="namedAt">The value that names it; null for the recipe itself.</param>
    public MapNode? Load(string path, RecipeNode? namedAt)
    {
        if (ReadText(path, namedAt) is not { } text)
            return null;
        return Parse(text, new RecipeOrigin(path, Path.GetDirectoryName(path)!));
    }

    private MapNode? Parse(string text, RecipeOrigin origin)
    {
        RecipeNode? root = RecipeYaml.Parse(text, origin, hasPlaces: true, sink);
        MapNode? own = root switch
        {
            MapNode map => map,
            ScalarNode { IsNull: true } => new MapNode(origin, 1, 1, 1, []),
            _ => null,
        };
        if (own is null)
        {
            if (root is not null)
                ValueKinds.WrongType(root, "a recipe", sink, "a map of keys such as base, dataset, train");
            return null;
        }

        MapNode? below = null;
        chain.Add(origin.File);
        foreach (RecipeNode name in ExtendedNames(own))
        {
            if (LoadExtended(name) is { } extended)
                below = below is null ? extended : RecipeMerge.Over(below, extended);
        }

        chain.RemoveAt(chain.Count - 1);
        own = own with { Entries = [.. own.Entries.Where(e => e.Key != ExtendsKey)] };
        return below is null ? own : RecipeMerge.Over(below, own);
    }

    private static IReadOnlyList<RecipeNode> ExtendedNames(MapNode map) => map.Find(ExtendsKey)?.Value switch
    {
        null or ScalarNode { IsNull: true } => [],
        ListNode list => list.Items,
        RecipeNode one => [one],
    };

    private MapNode? LoadExtended(RecipeNode name)
    {
        if (!ValueKinds.ReadText(name, ExtendsKey, sink, out string text))
            return null;
        bool isPreset = text.StartsWith(PresetPrefix, StringComparison.Ordinal);
        string file = isPreset ? text : Path.GetFullPath(text, name.Origin.BaseDirectory);
        if (chain.Contains(file))
        {
            IEnumerable<string> cycle = chain.SkipWhile(f => f != file).Append(file).Select(f => Path.GetFileName(f));
            ValueKinds.Refuse("LB0011", name, sink, $"extends goes round in a circle: {string.Join(" → ", cycle)}. Remove one of these extends.");
            return null;
        }

        if (chain.Count >= MaxChain)
        {
            ValueKinds.Refuse("LB0003", name, sink, FormattableString.Invariant($"more than {MaxChain} recipes extend one another."));
            return null;
        }

        if (loaded.TryGetValue(file, out MapNode? known))
            return known;
        MapNode? map = isPreset ? LoadPreset(text, name) : Load(file, name);
        loaded[file] = map;
        return map;
    }

    private MapNode? LoadPreset(string text, RecipeNode name)
    {
        string preset = text[PresetPrefix.Length..];
        if (RecipePresets.Find(preset) is { } yaml)
            return Parse(yaml, new RecipeOrigin(text, name.Origin.BaseDirectory));
        string? nearest = RecipeText.Nearest(preset, RecipePresets.Names);
        ValueKinds.Refuse("LB0013", name, sink, $"there is no preset {RecipeText.Quote(preset)}. Presets are {string.Join(", ", RecipePresets.Names)}.{(nearest is null ? "" : $" Did you mean {PresetPrefix}{nearest}?")}");
        return null;
    }

    private string? ReadText(string path, RecipeNode? namedAt)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            // Read up to a limit and not to the end: a pipe or a device has no length, and perhaps no end.
            MemoryStream bytes = new();
            byte[] part = new byte[1 << 14];
            for (int count; (count = stream.Read(part)) > 0;)
            {
                bytes.Write(part, 0, count);
                if (bytes.Length > MaxBytes)
                    return Unreadable("LB0003", FormattableString.Invariant($"the file has more than {MaxBytes} bytes; that is no recipe."));
            }

            bytes.Position = 0;
            using StreamReader reader = new(bytes, StrictUtf8);
            return reader.ReadToEnd();
        }
        catch (DecoderFallbackException)
        {
            return Unreadable("LB0002", "the file is not UTF-8 text; save it as UTF-8.");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Missing(path, namedAt);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unreadable("LB0001", $"the recipe cannot be read: {e.Message}");
        }

        string? Unreadable(string code, string message)
        {
            sink.Report(Diagnostic.Error(code, message, path));
            return null;
        }
    }

    private string? Missing(string path, RecipeNode? namedAt)
    {
        string beside = Neighbours(path);
        if (namedAt is null)
            sink.Report(Diagnostic.Error("LB0001", $"the recipe {path} does not exist.{beside}", path));
        else
            ValueKinds.Refuse("LB0013", namedAt, sink, $"extends names {path}, which does not exist; a relative path starts at this file's folder.{beside}");
        return null;
    }

    /// <summary>The recipe that was probably meant, or those that are there.</summary>
    private static string Neighbours(string path)
    {
        if (Path.GetDirectoryName(path) is not { } directory || !Directory.Exists(directory))
            return "";
        List<string> names = [.. Directory.EnumerateFiles(directory, "*.yaml").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal).Take(100)];
        if (RecipeText.Nearest(Path.GetFileName(path), names) is { } nearest)
            return $" Did you mean {nearest}?";
        return names.Count == 0 ? "" : $" Recipes there are {string.Join(", ", names.Take(5))}.";
    }
}
