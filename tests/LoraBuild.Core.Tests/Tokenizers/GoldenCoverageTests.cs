// The one list of what the reference data holds and which test compares it: a new file, kind, class or key that no test reads fails here.
using LoraBuild.Core.Tests.Tokenizers.Unicode;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class GoldenCoverageTests
{
    /// <summary>A file, as it is called in the folder or in each tokenizer's own folder; the keys of its lines; the test that compares them.</summary>
    private static readonly Dictionary<string, (string Keys, string Test)> Files = new(StringComparer.Ordinal)
    {
        ["README.md"] = ("", "describes the rest"),
        ["strings.jsonl"] = ("i tag text", "texts of cases.jsonl"),
        ["fuzz_strings.jsonl"] = ("i text", "texts of fuzz.jsonl"),
        ["long_strings.jsonl"] = ("name file repeat count", "texts of long.jsonl"),
        ["long/en.txt"] = ("", "texts of long.jsonl"),
        ["long/ko.txt"] = ("", "texts of long.jsonl"),
        ["long/mixed.txt"] = ("", "texts of long.jsonl"),
        ["unicode.jsonl"] = ("info class count ranges differs_from_unicodedata map", nameof(UnicodeTests)),
        // canonical: what the library writes back; nothing is written here.
        ["components.jsonl"] = ("kind config cases load_error canonical note model tokenizer_json vocab size base truncation padding post_processor single pair batch added_tokens", nameof(ComponentTests) + ", " + nameof(TruncationAndPaddingTests)),
        ["config_cases.jsonl"] = ("name note base files expected tokenizer_json_patch", nameof(TokenizerConfigTests)),
        ["auto_class.jsonl"] = ("tokenizer class differing_strings of rewritten_parts examples", nameof(TokenizerTests)),
        ["*/tokenizer.json"] = ("*", "loaded by all"),
        ["*/tokenizer_config.json"] = ("*", "loaded by all"),
        ["*/special_tokens_map.json"] = ("*", "loaded by all"),
        ["*/meta.json"] = ("*", nameof(TokenizerTests)),
        ["*/cases.jsonl"] = ("i text ids tokens offsets byte_offsets ids_special offsets_special decoded decoded_special ids_split_special", nameof(TokenizerTests)),
        ["*/fuzz.jsonl"] = ("i ids offsets_crc32 tokens decoded", nameof(TokenizerTests)),
        ["*/long.jsonl"] = ("name count ids_sha256 offsets_sha256 head tail checkpoints", nameof(TokenizerTests)),
        ["*/full.jsonl"] = ("text pair plain special", nameof(TokenizerTests)),
        ["*/decode.jsonl"] = ("ids tokens text text_skip", nameof(TokenizerTests)),
    };

    private static readonly string[] Kinds = ["added_ids", "bpe_model", "decoder", "normalizer", "pre_tokenizer", "truncate_pad"];

    private static string Pattern(string file)
    {
        string relative = Path.GetRelativePath(TokenizerGolden.Root, file).Replace('\\', '/');
        return Files.ContainsKey(relative) ? relative : "*/" + relative.Split('/')[^1];
    }

    [Fact]
    public void Every_file_and_every_key_of_its_lines_is_compared_by_a_test()
    {
        List<string> unknown = [];
        HashSet<string> folders = [];
        foreach (string file in Directory.EnumerateFiles(TokenizerGolden.Root, "*", SearchOption.AllDirectories))
        {
            string pattern = Pattern(file);
            if (!Files.TryGetValue(pattern, out (string Keys, string Test) known))
            {
                unknown.Add($"no test compares {file}");
                continue;
            }

            if (pattern.StartsWith('*'))
                folders.Add(Path.GetFileName(Path.GetDirectoryName(file)!));
            if (!file.EndsWith(".jsonl", StringComparison.Ordinal))
                continue;
            HashSet<string> keys = [.. known.Keys.Split(' ')];
            IEnumerable<string> found = TokenizerGolden.Lines(Path.GetRelativePath(TokenizerGolden.Root, file)).SelectMany(l => l.EnumerateObject().Select(p => p.Name)).Distinct();
            unknown.AddRange(found.Where(k => !keys.Contains(k)).Select(k => $"no test compares the key {k} of {file}"));
        }

        Assert.Equal([], unknown);
        Assert.Equal(((IEnumerable<object[]>)TokenizerTests.Names).Select(row => (string)row[0]).Order(StringComparer.Ordinal), folders.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_kind_of_component_is_compared_by_a_test() =>
        Assert.Equal(Kinds, TokenizerGolden.Lines("components.jsonl").Select(l => l.GetProperty("kind").GetString()!).Distinct().Order(StringComparer.Ordinal));

    /// <summary>Where the reference data lies beside the repository it is the same; else there is nothing to compare with.</summary>
    [Fact]
    public void The_copy_in_the_repository_is_the_reference_data()
    {
        string original = Path.GetFullPath(Path.Combine(TokenizerGolden.Root, "..", "..", "..", "..", "..", "shared", "golden", "tokenizers"));
        if (!Directory.Exists(original))
            return;
        string[] Relative(string root) => [.. Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(root, f)).Order(StringComparer.Ordinal)];
        string[] files = Relative(original);
        Assert.Equal(files, Relative(TokenizerGolden.Root));
        Assert.All(files, f => Assert.True(File.ReadAllBytes(Path.Combine(original, f)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(TokenizerGolden.Root, f))), f));
    }
}
