// Preference pairs: every layout, what is no pair, and what the template stage makes of them.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tests.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Data;

public sealed class PreferenceReaderTests : IDisposable
{
    private const string Question = """{"role":"user","content":"Which?"}""";
    private const string Good = """{"role":"assistant","content":"This one."}""";
    private const string Bad = """{"role":"assistant","content":"Dunno"}""";

    private static readonly string TokenizerFolder = Path.Combine(RecipeFixture.Repository, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers", "qwen2");

    private readonly DataFixture data = new();

    public void Dispose() => data.Dispose();

    [Theory]
    [InlineData($$"""{"prompt":[{{Question}}],"chosen":[{{Good}}],"rejected":[{{Bad}}]}""")]
    [InlineData($$"""{"chosen":[{{Question}},{{Good}}],"rejected":[{{Question}},{{Bad}}]}""")]
    [InlineData($$"""{"prompt":"Which?","chosen":[{{Question}},{{Good}}],"rejected":[{{Question}},{{Bad}}]}""")]
    public void Every_layout_of_conversations_becomes_two_documents_with_one_prompt(string row)
    {
        data.Write("a.jsonl", row);
        Assert.Equal(1, data.Prepare(data.Recipe("a.jsonl", "auto")).Train.Documents);
        Conversation[] halves = data.Conversations();
        Assert.Equal(["chosen", "rejected"], halves.Select(h => h.Half));
        Assert.Equal(["Which?", "This one."], halves[0].Messages.Select(m => m.Content));
        Assert.Equal(["Which?", "Dunno"], halves[1].Messages.Select(m => m.Content));
    }

    [Theory]
    [InlineData("""{"prompt":"2+2=","chosen":" 4","rejected":" 5"}""", "2+2=", " 4", " 5")]
    [InlineData("""{"chosen":"the sum is four","rejected":"the sum is fourteen"}""", "the sum is ", "four", "fourteen")]
    public void Texts_are_completions_of_a_prompt_that_is_given_or_shared(string row, string prompt, string chosen, string rejected)
    {
        data.Write("a.jsonl", row);
        data.Prepare(data.Recipe("a.jsonl", "preference"));
        Assert.Equal([(prompt, chosen), (prompt, rejected)], data.Conversations().Select(c => (c.Prompt!, c.Completion!)));
    }

    [Theory]
    [InlineData("""{"prompt":"a","chosen":"x"}""", "LB0102")]
    [InlineData($$"""{"prompt":"a","chosen":"x","rejected":[{{Bad}}]}""", "LB0105")]
    [InlineData("""{"prompt":"a","chosen":"x","rejected":"x"}""", "LB0117")]
    [InlineData($$"""{"chosen":[{{Good}}],"rejected":[{{Bad}}]}""", "LB0117")]
    [InlineData($$"""{"prompt":[{{Question}}],"chosen":[{{Good}},{{Question}}],"rejected":[{{Bad}}]}""", "LB0117")]
    [InlineData("""{"prompt":"a","chosen":"x","rejected":"  "}""", "LB0108")]
    public void What_is_no_pair_is_told(string row, string code)
    {
        data.Write("a.jsonl", row);
        Assert.Equal(code, data.Errors(data.Recipe("a.jsonl", "preference"))[0].Code);
    }

    [Fact]
    public void Pairs_stay_together_when_they_are_split_and_repeated_ones_are_removed()
    {
        IEnumerable<string> rows = Enumerable.Range(0, 40).Select(i => $$"""{"prompt":"{{i}}","chosen":" yes","rejected":" no"}""");
        data.Write("a.jsonl", string.Join('\n', rows.Append("""{"prompt":"7","chosen":" yes","rejected":" no"}""").Append("""{"prompt":"7","chosen":" yes","rejected":" maybe"}""")));
        PrepareReport report = data.Prepare(data.Recipe("a.jsonl", "preference", d => d with { Split = new SplitSection { Eval = 0.3 } }));
        Assert.Equal(1, report.Duplicates);
        Assert.Equal(41, report.Train.Documents + report.Eval.Documents);
        foreach (string split in new[] { "train", "eval" })
        {
            Conversation[] halves = data.Conversations(split);
            Assert.NotEmpty(halves);
            Assert.All(halves.Chunk(2), pair => Assert.Equal((pair[0].Prompt, "chosen", "rejected"), (pair[1].Prompt, pair[0].Half, pair[1].Half)));
        }
    }

    [Theory]
    [InlineData("assistant")]
    [InlineData("all")]
    public void Only_the_answers_become_targets_and_the_tokens_say_that_they_are_pairs(string loss)
    {
        string history = """{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}""";
        data.Write("a.jsonl", $$"""{"prompt":[{{history}},{{Question}}],"chosen":[{{Good}}],"rejected":[{{Bad}}]}""");
        TokenDocuments tokens = Template(data.Recipe("a.jsonl", "preference") with { Template = new TemplateSection { ChatTemplate = "chatml", Loss = loss } });
        Assert.True(tokens.IsPairs);
        Tokenizer tokenizer = Tokenizer.Load(TokenizerFolder);
        string[] targets = [.. Enumerable.Range(0, 2).Select(d => tokenizer.Decode([.. tokens[d].Labels.ToArray().Where(l => l != TokensFile.IgnoredLabel)]))];
        Assert.Equal(["This one.<|im_end|>", "Dunno<|im_end|>"], targets);
        TokenDocuments better = tokens.BetterAnswers();
        Assert.Equal((1, false), (better.Count, better.IsPairs));
        Assert.Equal(tokens[0].InputIds.ToArray(), better.InputIds);
    }

    [Fact]
    public void Pairs_beside_other_documents_and_prompts_that_were_shortened_differently_are_refused()
    {
        string pair = $$"""{"prompt":[{"role":"user","content":"old old old old"},{"role":"assistant","content":"yes"},{{Question}}],"chosen":[{{Good}}],"rejected":[{"role":"assistant","content":"{{string.Join(' ', Enumerable.Repeat("many", 20))}}"}]}""";
        data.Write("a.jsonl", pair);
        Recipe recipe = data.Recipe("a.jsonl", "preference") with { Template = new TemplateSection { ChatTemplate = "chatml", MaxLength = 62 } };
        Assert.Equal("LB0372", Assert.Throws<DiagnosticException>(() => Template(recipe)).Diagnostics[0].Code);
        data.Write("a.jsonl", $$"""{"prompt":[{{Question}}],"chosen":[{{Good}}],"rejected":[{{Bad}}]}""" + "\n" + DataFixture.Pair);
        Assert.Equal("LB0370", Assert.Throws<DiagnosticException>(() => Template(recipe with { Dataset = recipe.Dataset with { Sources = [recipe.Dataset.Sources[0] with { Format = "auto" }] } })).Diagnostics[0].Code);
    }

    [Fact]
    public void A_pair_that_cannot_be_trained_is_told_at_its_line_and_left_out_whole()
    {
        string many = string.Join(' ', Enumerable.Repeat("many", 40));
        string shortened = $$"""{"prompt":[{"role":"user","content":"old"},{"role":"assistant","content":"yes"},{{Question}}],"chosen":[{{Good}}],"rejected":[{"role":"assistant","content":"{{many}}"}]}""";
        string unanswered = $$"""{"prompt":[{"role":"user","content":"{{many}} {{many}}"}],"chosen":[{{Good}}],"rejected":[{{Bad}}]}""";
        string hidden = $$"""{"prompt":[{{Question}}],"chosen":[{{Good}}],"rejected":[{"role":"assistant","content":"raise"}]}""";
        string template = data.Write("t.jinja", "{% for m in messages %}{% if m.content == 'raise' %}{{ raise_exception('no') }}{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
        data.Write("a.jsonl", string.Join('\n', shortened, unanswered, $$"""{"prompt":[{{Question}}],"chosen":[{{Good}}],"rejected":[{{Bad}}]}""", hidden));
        Recipe recipe = data.Recipe("a.jsonl", "preference") with { Template = new TemplateSection { ChatTemplate = template, MaxLength = 48 } };
        Diagnostic[] told = [.. Assert.Throws<DiagnosticException>(() => Template(recipe)).Diagnostics.OrderBy(d => d.Line)];
        Assert.Equal([("LB0372", 1), ("LB0313", 2), ("LB0303", 4)], told.Select(d => (d.Code, d.Line)));

        Recipe skips = recipe with { Dataset = recipe.Dataset with { OnError = "skip" } };
        data.Prepare(skips);
        AuditReport audit = TemplateStage.Run(skips, data.Output, TokenizerFolder, data.Bag);
        Assert.Equal((2, 6, 6), (audit.Train.Documents, audit.Train.Skipped, audit.LeftOut.Count));
        Assert.Equal(["LB0372", "LB0371", "LB0313", "LB0371", "LB0371", "LB0303"], audit.LeftOut.Select(d => d.Code));
        Assert.Equal(1, PreferencePairs.Mark(data.Output, audit.LeftOut));
    }

    [Fact]
    public void An_answer_that_was_left_out_is_not_forgotten()
    {
        data.Write("a.jsonl", $$"""{"prompt":[{{Question}}],"chosen":[{{Good}}],"rejected":[{{Bad}}]}""");
        data.Prepare(data.Recipe("a.jsonl", "preference"));
        string tokens = Path.Combine(data.Output, "tokens");
        foreach (string split in new[] { "train", "eval", "test" })
            TokensFile.Write(Path.Combine(tokens, split + ".safetensors"), split == "train" ? new TokenDocuments([1, 2], [-100, 2], [0, 2]) : new TokenDocuments([], [], [0]));
        Assert.Equal("LB0371", Assert.Throws<DiagnosticException>(() => PreferencePairs.Mark(data.Output, [])).Diagnostics[0].Code);
    }

    private TokenDocuments Template(Recipe recipe)
    {
        data.Prepare(recipe);
        AuditReport audit = TemplateStage.Run(recipe, data.Output, TokenizerFolder, data.Bag);
        Assert.Equal(1, PreferencePairs.Mark(data.Output, audit.LeftOut));
        return TokensFile.Read(Path.Combine(data.Output, "tokens", "train.safetensors"));
    }
}
