// Texts to time tokenizers on, made from what the repository holds: enough of them, and with words that no cache has seen.
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace LoraBuild.Benchmarks;

/// <param name="Documents">Pieces of about 1–4 KB, cut at line ends; their concatenation is the whole text.</param>
internal sealed record BenchmarkText(string Name, string[] Documents)
{
    public string Whole { get; } = string.Concat(Documents);

    public long Utf8Bytes => System.Text.Encoding.UTF8.GetByteCount(Whole);
}

internal static class BenchmarkTexts
{
    private const int Alter = 12; // one word in so many is changed

    /// <summary>
    /// Four texts: <c>en</c> and <c>ko</c> (the lines of the example conversations and of the documentation by their script), <c>chat</c> (the same conversations
    /// as they stand, in ChatML), <c>code</c> (the sources). Each is repeated to <paramref name="bytes"/> of UTF-8; in every repetition the lines are
    /// in another order and one word in twelve gets another letter, so that what a cache remembers is worth about as much as in real text.
    /// </summary>
    public static IEnumerable<BenchmarkText> Create(string repository, int bytes)
    {
        List<string> english = [];
        List<string> korean = [];
        List<string> chats = [];
        foreach (string file in Files(Path.Combine(repository, "pipelines", "data"), "*.jsonl"))
        {
            foreach (string line in File.ReadLines(file))
            {
                StringBuilder chat = new();
                foreach (JsonNode? message in JsonNode.Parse(line)!["messages"]!.AsArray())
                {
                    string words = (string)message!["content"]!;
                    chat.Append(CultureInfo.InvariantCulture, $"<|im_start|>{(string)message["role"]!}\n{words}<|im_end|>\n");
                    (IsKorean(words) ? korean : english).Add(words + "\n");
                }

                chats.Add(chat.ToString());
            }
        }

        english.AddRange(Files(repository, "*.md").Concat(Files(Path.Combine(repository, "docs"), "*.md")).SelectMany(File.ReadLines).Where(l => l.Length > 0).Select(l => l + "\n"));
        string[] code = [.. Files(Path.Combine(repository, "src"), "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal)).SelectMany(Blocks)];
        yield return Repeat("en", english, bytes);
        yield return Repeat("ko", korean, bytes);
        yield return Repeat("chat", chats, bytes);
        yield return Repeat("code", code, bytes);
    }

    /// <summary>The texts as NAME.txt, and NAME.lengths with the UTF-8 bytes of each document, for measuring another program on the same input.</summary>
    public static void Write(string directory, IEnumerable<BenchmarkText> texts)
    {
        Directory.CreateDirectory(directory);
        foreach (BenchmarkText text in texts)
        {
            File.WriteAllText(Path.Combine(directory, text.Name + ".txt"), text.Whole);
            File.WriteAllLines(Path.Combine(directory, text.Name + ".lengths"), text.Documents.Select(d => System.Text.Encoding.UTF8.GetByteCount(d).ToString(CultureInfo.InvariantCulture)));
        }
    }

    private static IOrderedEnumerable<string> Files(string directory, string pattern, SearchOption depth = SearchOption.TopDirectoryOnly) =>
        Directory.EnumerateFiles(directory, pattern, depth).Order(StringComparer.Ordinal);

    /// <summary>A source file in pieces between blank lines.</summary>
    private static IEnumerable<string> Blocks(string file) => File.ReadAllText(file).Split("\n\n").Select(b => b + "\n\n");

    private static bool IsKorean(string text) => text.AsSpan().IndexOfAnyInRange('\uAC00', '\uD7A3') >= 0;

    private static BenchmarkText Repeat(string name, IReadOnlyList<string> units, int bytes)
    {
        Random random = new(name.Length + name[0]);
        List<string> documents = [];
        StringBuilder document = new();
        int target = 0;
        int done = 0;
        int inDocument = 0;
        while (true)
        {
            foreach (int i in Order(units.Count, random))
            {
                string unit = Vary(units[i], random);
                int length = System.Text.Encoding.UTF8.GetByteCount(unit);
                if (inDocument > 0 && inDocument + length > target)
                {
                    documents.Add(document.ToString());
                    document.Clear();
                    inDocument = 0;
                }

                if (inDocument == 0)
                    target = random.Next(1000, 4000);
                document.Append(unit);
                inDocument += length;
                done += length;
                if (done < bytes)
                    continue;
                documents.Add(document.ToString());
                return new BenchmarkText(name, [.. documents]);
            }
        }
    }

    private static int[] Order(int count, Random random)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        random.Shuffle(order);
        return order;
    }

    /// <summary>Gives one word in <see cref="Alter"/> another letter of its script at a random place.</summary>
    private static string Vary(string unit, Random random)
    {
        char[] text = unit.ToCharArray();
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && char.IsLetter(text[end]))
                end++;
            if (end - start >= 2 && random.Next(Alter) == 0)
            {
                int at = random.Next(start, end);
                if (char.IsAsciiLetterLower(text[at]))
                    text[at] = (char)('a' + random.Next(26));
                else if (text[at] is >= '\uAC00' and <= '\uD7A3')
                    text[at] = (char)random.Next('\uAC00', '\uD7A4');
            }

            start = end + 1;
        }

        return new string(text);
    }
}
