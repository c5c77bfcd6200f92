// Malformed and hostile files end with a diagnostic, in bounded time and memory.
using System.Diagnostics;
using System.Text;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class RecipeLimitsTests : IDisposable
{
    private readonly RecipeFixture fixture = new();

    public void Dispose() => fixture.Dispose();

    [Fact]
    public void Deep_nesting_ends_at_the_limit()
    {
        Diagnostic found = Assert.Single(fixture.Read(new string('[', 500_000)).Diagnostics);
        Assert.Equal(("LB0003", 1, 33, "values are nested more than 32 deep."), (found.Code, found.Line, found.Column, found.Message));
    }

    [Fact]
    public void Aliases_of_aliases_end_at_the_limit()
    {
        StringBuilder yaml = new("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n");
        for (int i = 1; i < 30; i++)
            yaml.Append($"x{i}: &x{i} [*x{i - 1}, *x{i - 1}, *x{i - 1}, *x{i - 1}]\n");
        Diagnostic found = Assert.Single(fixture.Read(yaml.ToString()).Diagnostics);
        Assert.Equal(("LB0003", "the recipe has more than 20000 values (aliases count each time they are used)."), (found.Code, found.Message));
    }

    [Fact]
    public void A_value_that_holds_itself_is_an_error()
    {
        Diagnostic found = Assert.Single(fixture.Read("x: &x [*x]\n").Diagnostics);
        Assert.Equal(("LB0002", 1, 8), (found.Code, found.Line, found.Column));
    }

    [Fact]
    public void A_huge_file_is_refused_before_it_is_parsed()
    {
        Diagnostic characters = Assert.Single(fixture.Read(new string('#', RecipeYaml.MaxCharacters + 1)).Diagnostics);
        Assert.Equal("LB0003", characters.Code);
        using (FileStream stream = File.Create(fixture.At("huge.yaml")))
            stream.SetLength(1L << 33);
        DiagnosticBag bag = new();
        Assert.Null(RecipeReader.Read(fixture.At("huge.yaml"), [], bag));
        Assert.Equal("the file has more than 4194304 bytes; that is no recipe.", Assert.Single(bag.All).Message);
    }

    [Fact]
    public void A_long_chain_of_extends_is_refused()
    {
        for (int i = 0; i < 20; i++)
            fixture.Write($"r{i}.yaml", $"extends: r{i + 1}.yaml\n");
        Diagnostic found = Assert.Single(fixture.Read("extends: r0.yaml\n" + RecipeFixture.Minimal).Diagnostics);
        Assert.Equal(("LB0003", fixture.At("r14.yaml"), "more than 16 recipes extend one another."), (found.Code, found.File, found.Message));
    }

    [Fact]
    public void Many_unknown_keys_are_reported_in_little_time()
    {
        StringBuilder yaml = new(RecipeFixture.Minimal);
        for (int i = 0; i < 5_000; i++)
            yaml.Append($"some_unknown_key_{i}: {i}\n");
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(5_000, fixture.Read(yaml.ToString()).Diagnostics.Count);
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void Damaged_recipes_give_diagnostics_and_no_other_exception()
    {
        string right = File.ReadAllText(Path.Combine(RecipeFixture.Repository, "docs", "recipe.md")).Split("```yaml\n")[1].Split("```")[0];
        const string Bits = "{}[]&*!|>'\"%@`:,#?-\\\t\n \0\u0085\uFEFFa1<~\uD800";
        Random random = new(1);
        for (int round = 0; round < 1000; round++)
        {
            StringBuilder yaml = new(right[..random.Next(right.Length)]);
            for (int i = random.Next(4); i >= 0; i--)
                yaml.Insert(random.Next(yaml.Length + 1), Bits.AsSpan(random.Next(Bits.Length), 1));
            DiagnosticBag bag = new();
            RecipeNode? node = RecipeYaml.Parse(yaml.ToString(), new RecipeOrigin("x", "/"), hasPlaces: true, bag);
            Assert.True(node is not null || bag.HasErrors);
            fixture.Read(yaml.Replace('\uD800', '?').ToString());
        }
    }
}
