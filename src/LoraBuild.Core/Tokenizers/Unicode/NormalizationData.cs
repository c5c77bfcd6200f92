// Decompositions, compositions and combining classes, read once from the embedded table.
using System.Collections.Frozen;
using System.Globalization;

namespace LoraBuild.Core.Tokenizers.Unicode;

/// <summary>
/// The platform's <c>string.Normalize</c> does nothing in invariant-globalization mode and refuses noncharacters where it works,
/// so the table is our own. It is the reference library's version of Unicode, which is older than the one of the regex classes.
/// </summary>
internal static class NormalizationData
{
    private static readonly Lazy<Tables> Loaded = new(Load);

    /// <summary>The one-step decomposition, or null. Hangul syllables are not in the table: they are computed.</summary>
    public static int[]? Decomposition(int codePoint, bool isCompatibility)
    {
        Tables tables = Loaded.Value;
        if (tables.Canonical.TryGetValue(codePoint, out int[]? parts))
            return parts;
        return isCompatibility && tables.Compatibility.TryGetValue(codePoint, out parts) ? parts : null;
    }

    /// <summary>The primary composite of two code points, or −1.</summary>
    public static int Compose(int first, int second) => Loaded.Value.Compositions.GetValueOrDefault(((long)first << 32) | (uint)second, -1);

    public static int CombiningClass(int codePoint) => codePoint < 0x300 ? 0 : Loaded.Value.CombiningClasses.GetValueOrDefault(codePoint, (byte)0);

    /// <summary>A mark that the reference library knows to be one.</summary>
    public static bool IsKnownMark(int codePoint) =>
        codePoint >= 0x300 && ((UnicodeClasses.IsIn(codePoint, UnicodeClasses.Mark) && !Loaded.Value.NewMarks.Contains(codePoint)) || codePoint is 0x1CF2 or 0x1CF3);

    /// <summary>Punctuation that is newer than the reference library's table.</summary>
    public static bool IsNewPunctuation(int codePoint) => Loaded.Value.NewPunctuation.Contains(codePoint);

    private sealed record Tables(
        FrozenDictionary<int, int[]> Canonical,
        FrozenDictionary<int, int[]> Compatibility,
        FrozenDictionary<long, int> Compositions,
        FrozenDictionary<int, byte> CombiningClasses,
        FrozenSet<int> NewMarks,
        FrozenSet<int> NewPunctuation);

    private static Tables Load()
    {
        Dictionary<int, int[]> canonical = [];
        Dictionary<int, int[]> compatibility = [];
        Dictionary<long, int> compositions = [];
        Dictionary<int, byte> classes = [];
        HashSet<int> newMarks = [];
        HashSet<int> newPunctuation = [];
        using Stream stream = typeof(NormalizationData).Assembly.GetManifestResourceStream("unicode/normalization.txt")!;
        using StreamReader reader = new(stream);
        while (reader.ReadLine() is { } line)
        {
            if (line[0] == '#')
                continue;
            string[] fields = line.Split(' ');
            int first = Hex(fields[1]);
            switch (fields[0])
            {
                case "C" or "X":
                    int[] parts = [.. fields[2..].Select(Hex)];
                    canonical[first] = parts;
                    if (fields[0] == "C")
                        compositions[((long)parts[0] << 32) | (uint)parts[1]] = first;
                    break;
                case "K":
                    compatibility[first] = [.. fields[2..].Select(Hex)];
                    break;
                case "M":
                    for (int c = first; c <= Hex(fields[2]); c++)
                        classes[c] = byte.Parse(fields[3], CultureInfo.InvariantCulture);
                    break;
                default:
                    for (int c = first; c <= Hex(fields[2]); c++)
                        (fields[0] == "A" ? newMarks : newPunctuation).Add(c);
                    break;
            }
        }

        return new Tables(canonical.ToFrozenDictionary(), compatibility.ToFrozenDictionary(), compositions.ToFrozenDictionary(), classes.ToFrozenDictionary(), newMarks.ToFrozenSet(), newPunctuation.ToFrozenSet());
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
