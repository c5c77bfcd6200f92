// Scripts, binary properties and case folding of Unicode 16, read once from the embedded table.
using System.Globalization;

namespace LoraBuild.Core.Tokenizers.Unicode;

internal static class PropertyTables
{
    private static readonly Lazy<Tables> Loaded = new(Load);

    /// <summary>The code points of a script or binary property. <paramref name="key"/> is in lower case, without spaces, hyphens and underscores.</summary>
    public static CodePointRanges? Find(string key) => Loaded.Value.Properties.GetValueOrDefault(key);

    /// <summary>The names that <see cref="Find"/> knows, as Unicode writes them; short names of scripts are not among them.</summary>
    public static IReadOnlyList<string> Names => Loaded.Value.Names;

    /// <summary>Full case folding; a code point that is absent folds to itself.</summary>
    public static IReadOnlyDictionary<int, int[]> Foldings => Loaded.Value.Foldings;

    /// <summary>The script of a code point as Unicode 9 had it, as a number; −1 where it had none. The reference library's table is that old.</summary>
    public static int ScriptInUnicode9(int codePoint) => Loaded.Value.Scripts9.ValueOf(codePoint);

    /// <summary>The number that <see cref="ScriptInUnicode9"/> gives for a script.</summary>
    public static int NumberOfScript(string name) => Loaded.Value.ScriptNumbers[name];

    private sealed record Tables(
        IReadOnlyDictionary<string, CodePointRanges> Properties,
        IReadOnlyList<string> Names,
        IReadOnlyDictionary<int, int[]> Foldings,
        CodePointRanges Scripts9,
        IReadOnlyDictionary<string, int> ScriptNumbers);

    private static Tables Load()
    {
        Dictionary<string, CodePointRanges> properties = new(StringComparer.Ordinal);
        List<string> names = [];
        Dictionary<int, int[]> foldings = [];
        Dictionary<string, int> scriptNumbers = new(StringComparer.Ordinal);
        List<(int First, int Last, int Value)> scripts9 = [];
        using Stream stream = typeof(PropertyTables).Assembly.GetManifestResourceStream("unicode/properties.txt")!;
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            switch (fields[0])
            {
                case "S":
                    string[] aliases = fields[1].Split('=');
                    int number = scriptNumbers.Count;
                    scriptNumbers.Add(aliases[0], number);
                    scripts9.AddRange(fields[2..].Where(f => f[0] != '+').Select(f => Range(f, number)));
                    CodePointRanges script = new(fields[2..].Select(f => Range(f.TrimStart('+'), number)));
                    foreach (string alias in aliases)
                        properties[UnicodeProperties.Key(alias)] = script;
                    names.Add(aliases[0]);
                    break;
                case "B":
                    properties[UnicodeProperties.Key(fields[1])] = new CodePointRanges(fields[2..].Select(f => Range(f, 0)));
                    names.Add(fields[1]);
                    break;
                case "F":
                    foreach (string field in fields[1..])
                    {
                        string[] sides = field.Split('=');
                        foldings.Add(Hex(sides[0]), [.. sides[1].Split('.').Select(Hex)]);
                    }

                    break;
            }
        }

        return new Tables(properties, names, foldings, new CodePointRanges(scripts9), scriptNumbers);
    }

    private static (int First, int Last, int Value) Range(string text, int value)
    {
        int dash = text.IndexOf('-', StringComparison.Ordinal);
        return dash < 0 ? (Hex(text), Hex(text), value) : (Hex(text[..dash]), Hex(text[(dash + 1)..]), value);
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
