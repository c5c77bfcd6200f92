// Numbers of a Unigram vocabulary: the values that the reference library (tokenizers 0.23.1) gives, which are not always the nearest doubles.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Core.Tokenizers.Models;

namespace LoraBuild.Core.Tests.Tokenizers.Models;

public sealed class LibraryNumberTests
{
    [Theory]
    [InlineData("-7.2699147552542405", -7.26991475525424)]
    [InlineData("-7.5324848178409205", -7.53248481784092)]
    [InlineData("0.000000000000000000000000000000000000123456789012345678901234", 1.2345678901234565e-37)]
    public void Some_numbers_are_not_the_nearest_double(string json, double expected)
    {
        Assert.Equal(expected, Parse(json));
        Assert.NotEqual(expected, double.Parse(json, System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0.1", 0.1)]
    [InlineData("1e-7", 1e-7)]
    [InlineData("-1E2", -100)]
    [InlineData("1.0e+2", 100)]
    [InlineData("1.7976931348623157e308", 1.7976931348623157e308)]
    [InlineData("123456789012345678901234567890", 1.2345678901234568e29)]
    [InlineData("18446744073709551616", 1.8446744073709552e19)]
    [InlineData("12345678901234567.8901234567", 1.2345678901234568e16)]
    [InlineData("99999999999999999999.5e-3", 1e17)]
    [InlineData("3.14159265358979323846264338327950288", 3.141592653589793)]
    [InlineData("5e-324", 5e-324)]
    [InlineData("1e-400", 0)]
    [InlineData("0e99999999999999999999", 0)]
    public void Others_are(string json, double expected) => Assert.Equal(expected, Parse(json));

    [Theory]
    [InlineData("baaaaaaa", new[] { 3, 1, 2, 2 })]
    [InlineData("bbaaaaaaa", new[] { 3, 3, 1, 2, 2 })]
    public void Equally_good_segmentations_are_chosen_as_the_library_chooses(string text, int[] ids) =>
        Assert.Equal(ids, Load("-13.442091746294063").EncodeToIds(text));

    [Fact]
    public void A_score_beyond_any_double_is_refused()
    {
        DiagnosticException e = Assert.Throws<DiagnosticException>(() => Load("-1e309"));
        Assert.Equal("LB0203", Assert.Single(e.Diagnostics).Code);
    }

    private static double Parse(string json) => LibraryNumber.Parse(System.Text.Encoding.UTF8.GetBytes(json));

    private static Tokenizer Load(string score)
    {
        using TemporaryTokenizer files = new();
        files.Write("tokenizer.json", $$"""
            {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
             "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", -15.5], ["a", -9.708358704453861], ["aaa", {{score}}], ["b", -10.424562234513303]] } }
            """);
        return Tokenizer.Load(files.Path);
    }
}
