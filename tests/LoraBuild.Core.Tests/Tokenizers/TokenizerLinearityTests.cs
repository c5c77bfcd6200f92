// Long texts without the words that tokenizers are made for: they are encoded at all, which a loop that grows with the square of the length would not reach.
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class TokenizerLinearityTests
{
    /// <summary>A linear encoder needs a fraction of a second for it, a quadratic one minutes: the limit only tells these apart, on any machine.</summary>
    private const int Characters = 400_000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    private static readonly string[] Units = [" ", "\n", "\t", " \n", "a", "字", "가", "7", "!", "\u00A0", "👩‍👩‍👧", "e\u0301\u0323", "\u0301", "a b ", "aB", "'s", "한 字a1"];

    public static TheoryData<string> Names => [.. Directory.EnumerateDirectories(TokenizerGolden.Root).Where(d => File.Exists(Path.Combine(d, "tokenizer.json"))).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Long_texts_of_one_kind_end(string name)
    {
        Tokenizer tokenizer = TokenizerGolden.Load(name);
        Random random = new(17);
        string letters = new([.. Enumerable.Range(0, Characters).Select(_ => (char)('a' + random.Next(26)))]);
        string added = string.Concat(tokenizer.AddedTokens.Select(t => t.Content));
        foreach (string unit in Units.Append(letters).Append(added).Where(u => u.Length > 0))
        {
            string text = string.Concat(Enumerable.Repeat(unit, Math.Max(1, Characters / unit.Length)));
            // An added token of tabs with rstrip matches at every tab to the end of the run, and shows all that it matched: as strings that is quadratic by itself.
            Task<int[]> encoding = Task.Run(() => unit == "\t"
                ? tokenizer.EncodeToIds(text, addSpecialTokens: false)
                : tokenizer.Encode(text, addSpecialTokens: false).Ids);
            Assert.True(await Task.WhenAny(encoding, Task.Delay(Limit)) == encoding, $"{TokenizerGolden.Show(unit.Length > 20 ? unit[..20] : unit)} takes longer than {Limit}");
            await encoding;
        }
    }
}
