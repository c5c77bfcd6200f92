// UnicodeScripts: the script of every code point is the one that the reference library gives it.
using System.Globalization;
using LoraBuild.Core.Tokenizers.PreTokenizers;

namespace LoraBuild.Core.Tests.Tokenizers.PreTokenizers;

public sealed class UnicodeScriptsPreTokenizerTests
{
    [Fact]
    public void Every_code_point_has_the_reference_script()
    {
        int[] expected = new int[0x110000];
        Array.Fill(expected, -1);
        int scripts = 0;
        foreach (string line in File.ReadLines(Path.Combine(GoldenParts.Root, "scripts.txt")))
        {
            foreach (string range in line.Split(' '))
            {
                string[] ends = range.Split('-');
                for (int c = Hex(ends[0]); c <= Hex(ends[^1]); c++)
                    expected[c] = scripts;
            }

            scripts++;
        }

        // Numbers are ours; what must agree is which code points share one.
        Dictionary<int, int> ours = [];
        Differences differences = new();
        foreach (int c in Enumerable.Range(0, 0x110000).Where(c => c is < 0xD800 or > 0xDFFF))
        {
            int script = UnicodeScriptsPreTokenizer.ScriptOf(c);
            ours.TryAdd(script, expected[c]);
            differences.Compare([expected[c]], [ours[script]], () => $"{c:X}");
        }

        differences.AssertNone();
        Assert.Equal(scripts + 1, ours.Count);
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
