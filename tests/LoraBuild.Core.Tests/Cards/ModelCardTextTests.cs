// Model cards as text: whole ones as snapshots, and what must not break the Markdown or the YAML.
using LoraBuild.Core.Cards;
using VerifyXunit;

namespace LoraBuild.Core.Tests.Cards;

public sealed class ModelCardTextTests
{
    private static readonly CardBase Hub = new("org/tiny", "org/tiny", "main", "0123456789abcdef0123456789abcdef01234567", new CardLicense("apache-2.0"));

    private static readonly ModelCard Card = new(CardKind.Adapter, Hub)
    {
        Adapter = new CardAdapter(8, 16, 0.05, UseDora: false, UseRslora: false, ["v_proj", "q_proj"], []),
        Data =
        [
            new CardSplit("train", 486, 81_351, 33_948, new string('a', 64), new string('b', 64)),
            new CardSplit("eval", 45, 7_000, 3_157, new string('c', 64), new string('d', 64)),
        ],
        Training = new CardTraining(672, 3, 6.39274, 3.29791, (540, 3.71601, 41.1)),
        Recipe = ["adapter.r: 8", "dataset.sources: [{ path: data/chat.jsonl }]", "train.learning_rate: 0.0001"],
    };

    [Fact]
    public Task Card_of_an_adapter() => Verifier.Verify(ModelCardText.Of(Card));

    [Fact]
    public Task Card_of_a_merged_model() => Verifier.Verify(ModelCardText.Of(Card with
    {
        Kind = CardKind.Merged,
        Base = Hub with { License = new CardLicense("other", "tiny-license", "LICENSE.md") },
        Evaluation = [new CardMeasurement("base model", 6.2942, 541.426, 3157), new CardMeasurement("with the adapter", 3.716, 41.099, 3157)],
    }));

    [Fact]
    public Task Card_of_a_model_that_was_trained_whole_from_a_directory() => Verifier.Verify(ModelCardText.Of(new ModelCard(CardKind.Full, new CardBase("tiny-base"))));

    [Fact]
    public Task Card_of_a_merge_of_given_directories() => Verifier.Verify(ModelCardText.Of(new ModelCard(CardKind.Merged, new CardBase("tiny base")) { Adapter = Card.Adapter }));

    [Fact]
    public void A_model_from_random_weights_has_no_base_model()
    {
        string text = ModelCardText.Of(new ModelCard(CardKind.Full, Hub with { IsShapeOnly = true }));
        Assert.DoesNotContain("base_model", text, StringComparison.Ordinal);
        Assert.Contains("# A model in the shape of org/tiny", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Dora_is_called_so()
    {
        string text = ModelCardText.Of(Card with { Adapter = Card.Adapter! with { UseDora = true } });
        Assert.Contains("# DoRA adapter for org/tiny", text, StringComparison.Ordinal);
        Assert.Contains("\n- dora\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_block_in_the_recipe_does_not_end_the_block_around_it()
    {
        string text = ModelCardText.Of(Card with { Recipe = ["template.system: \"use ```` fences\""] });
        Assert.Contains("`````yaml\ntemplate.system: \"use ```` fences\"\n`````\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_of_the_license_that_is_a_file_leads_to_the_base_model()
    {
        string text = ModelCardText.Of(Card with { Base = Hub with { License = new CardLicense("other", "x", "LICENSE") } });
        Assert.Contains("license_link: \"https://huggingface.co/org/tiny/blob/0123456789abcdef0123456789abcdef01234567/LICENSE\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("license_link", ModelCardText.Of(Card with { Base = new CardBase("dir", License: new CardLicense("other", "x", "LICENSE")) }), StringComparison.Ordinal);
    }

    [Fact]
    public void The_shell_lines_quote_a_name_with_blanks() =>
        Assert.Contains("--model 'path/to/my model'", ModelCardText.Of(new ModelCard(CardKind.Adapter, new CardBase("my model"))), StringComparison.Ordinal);
}
