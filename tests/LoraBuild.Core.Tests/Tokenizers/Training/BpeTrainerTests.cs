// A trained tokenizer loads, round-trips, and comes out the same each time.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Core.Tokenizers.Training;

namespace LoraBuild.Core.Tests.Tokenizers.Training;

public sealed class BpeTrainerTests
{
    private static readonly string[] Texts =
    [
        "low low low low low lower lower newest newest newest newest newest newest widest widest widest",
        "<|im_start|>user\n안녕하세요 반갑습니다<|im_end|>\n<|im_start|>assistant\n안녕하세요 12 345 😀<|im_end|>\n",
    ];

    private static readonly BpeTrainerOptions Options = new() { VocabularySize = 300, SpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] };

    [Theory]
    [InlineData(BytePreTokenizer.SmolLm)]
    [InlineData(BytePreTokenizer.Gpt2)]
    public void A_trained_tokenizer_loads_and_round_trips(BytePreTokenizer preTokenizer)
    {
        using TemporaryTokenizer files = new();
        TrainedBpe trained = BpeTrainer.Train(Texts, Options with { PreTokenizer = preTokenizer });
        trained.Save(Path.Combine(files.Path, "tokenizer.json"));
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal(trained.VocabularySize, tokenizer.VocabularySize);
        Assert.Equal([0, 1, 2], Options.SpecialTokens.Select(t => tokenizer.TokenToId(t)!.Value));
        foreach (string text in (string[])[.. Texts, "unseen ✓ \0\u2028 text\t 2024"])
            Assert.Equal(text, tokenizer.Decode(tokenizer.EncodeToIds(text)));
        Assert.Equal([1], tokenizer.EncodeToIds("<|im_start|>"));
        Assert.True(tokenizer.EncodeToIds(" newest").Length < 3, "a frequent word takes few tokens");
        if (preTokenizer == BytePreTokenizer.SmolLm)
            Assert.Equal(4, tokenizer.EncodeToIds("1212").Length);
    }

    [Fact]
    public void The_most_frequent_pair_merges_first_and_the_smaller_among_equals()
    {
        using TemporaryTokenizer files = new();
        // Pairs: (a,b) 3 times, (c,d) 3 times, (e,f) twice.
        BpeTrainer.Train(["cd", "ef", "ab"], Options with { VocabularySize = 262, MinFrequency = 1, SpecialTokens = [] }).Save(Path.Combine(files.Path, "tokenizer.json"));
        Tokenizer tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal((256, 257, 258), (tokenizer.TokenToId("ab"), tokenizer.TokenToId("cd"), tokenizer.TokenToId("ef")));
        BpeTrainer.Train(["cd cd", "ef ef", "ab"], Options with { VocabularySize = 262, MinFrequency = 1, SpecialTokens = [] }).Save(Path.Combine(files.Path, "tokenizer.json"));
        tokenizer = Tokenizer.Load(files.Path);
        Assert.Equal((256, 257), (tokenizer.TokenToId("cd"), tokenizer.TokenToId("ef")));
    }

    [Fact]
    public void The_order_of_the_texts_does_not_matter_and_the_bytes_are_the_same()
    {
        using TemporaryTokenizer files = new();
        string one = Path.Combine(files.Path, "one.json");
        string two = Path.Combine(files.Path, "two.json");
        BpeTrainer.Train(Texts, Options).Save(one);
        BpeTrainer.Train(Texts.Reverse(), Options).Save(two);
        Assert.Equal(File.ReadAllBytes(one), File.ReadAllBytes(two));
    }

    [Fact]
    public void Counting_step_by_step_gives_what_counting_anew_gives()
    {
        Random random = new(7);
        string[] texts = [.. Enumerable.Range(0, 300).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => "abc "[random.Next(4)])))];
        using TemporaryTokenizer files = new();
        string path = Path.Combine(files.Path, "tokenizer.json");
        BpeTrainer.Train(texts, new BpeTrainerOptions { VocabularySize = 320, MinFrequency = 1, PreTokenizer = BytePreTokenizer.Gpt2 }).Save(path);
        string[] merges = [.. JsonSource.Read(path).Root["model"]["merges"].Items().Select(m => string.Join(' ', m.Items().Select(p => p.AsString())))];
        Assert.Equal(NaiveMerges(texts, merges.Length), merges);
    }

    [Fact]
    public void A_rare_pair_is_not_merged()
    {
        TrainedBpe trained = BpeTrainer.Train(["xy xy", "zw"], Options with { SpecialTokens = [] });
        // Only x and y stand together twice; the space before the second "xy" and "zw" come once.
        Assert.Equal((1, 257), (trained.MergeCount, trained.VocabularySize));
    }

    [Fact]
    public void A_vocabulary_without_room_for_the_bytes_is_refused() =>
        Assert.Equal("LB0212", Assert.Throws<DiagnosticException>(() => BpeTrainer.Train(Texts, Options with { VocabularySize = 258 })).Diagnostics[0].Code);

    /// <summary>Byte-pair encoding by its definition: count everything again before each merge.</summary>
    private static List<string> NaiveMerges(string[] texts, int count)
    {
        // Text of a, b, c and spaces: GPT-2's pattern gives " word", and runs of spaces of which the last joins the word.
        List<List<string>> words = [.. texts.SelectMany(Words).Select(w => w.Select(c => c == ' ' ? "Ġ" : c.ToString()).ToList())];
        List<string> vocabulary = [.. Enumerable.Range(0, 256).Select(b => ByteAlphabet.ToChar((byte)b)).Order().Select(c => c.ToString())];
        List<string> merges = [];
        while (merges.Count < count)
        {
            Dictionary<(int, int), int> counts = [];
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    (int, int) pair = (vocabulary.IndexOf(word[i]), vocabulary.IndexOf(word[i + 1]));
                    counts[pair] = counts.GetValueOrDefault(pair) + 1;
                }
            }

            (int left, int right) = counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key).First().Key;
            string merged = vocabulary[left] + vocabulary[right];
            merges.Add($"{vocabulary[left]} {vocabulary[right]}");
            if (!vocabulary.Contains(merged))
                vocabulary.Add(merged);
            foreach (List<string> word in words)
            {
                for (int i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] != merges[^1].Split(' ')[0] || word[i + 1] != merges[^1].Split(' ')[1])
                        continue;
                    word[i] = merged;
                    word.RemoveAt(i + 1);
                }
            }
        }

        return merges;
    }

    private static IEnumerable<string> Words(string text) =>
        System.Text.RegularExpressions.Regex.Matches(text, @" ?[abc]+|\s+(?!\S)|\s+").Select(m => m.Value);
}
