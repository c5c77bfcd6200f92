// From conversations to labels: which tokens are trained, checked by hand on ChatML, and what the audit says.
using System.Globalization;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tests.Data;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Chat;

public sealed class TemplateStageTests : IDisposable
{
    private static readonly string TokenizerFolder = Path.Combine(RecipeFixtureRoot, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers", "qwen2");
    private static readonly Tokenizer Tokenizer = Tokenizer.Load(TokenizerFolder);
    private readonly DataFixture data = new();

    private static string RecipeFixtureRoot => Recipes.RecipeFixture.Repository;

    // The same text as chatml's, but nothing is marked.
    private const string Unmarked = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private const string TwoTurns = """{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"},{"role":"assistant","content":"안녕 you"},{"role":"user","content":"more"},{"role":"assistant","content":"yo"}]}""";

    public void Dispose() => data.Dispose();

    [Theory]
    [InlineData("chatml")]
    [InlineData(Unmarked)]
    public void Chatml_trains_the_answers_and_the_token_that_ends_them_and_nothing_else(string template)
    {
        (_, TokenDocuments tokens) = Run(TwoTurns, t => t with { ChatTemplate = Named(template) });
        Assert.Equal(["안녕 you<|im_end|>", "yo<|im_end|>"], Trained(tokens[0]));
        Assert.Equal(Tokenizer.EncodeToIds("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n안녕 you<|im_end|>\n<|im_start|>user\nmore<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n", addSpecialTokens: false), tokens.InputIds);
        Assert.All(Enumerable.Range(0, tokens.InputIds.Length), i => Assert.True(tokens.Labels[i] == -100 || tokens.Labels[i] == tokens.InputIds[i]));
    }

    [Theory]
    [InlineData("chatml")]
    [InlineData(Unmarked)]
    public void Loss_last_trains_the_last_answer_and_loss_all_everything(string template)
    {
        (_, TokenDocuments last) = Run(TwoTurns, t => t with { ChatTemplate = Named(template), Loss = "last" });
        Assert.Equal(["yo<|im_end|>"], Trained(last[0]));
        (_, TokenDocuments all) = Run(TwoTurns, t => t with { ChatTemplate = Named(template), Loss = "all" });
        Assert.Equal(all.InputIds, all.Labels);
    }

    [Fact]
    public void A_message_with_train_false_is_not_a_target()
    {
        (_, TokenDocuments tokens) = Run(TwoTurns.Replace("\"content\":\"yo\"", "\"content\":\"yo\",\"train\":false", StringComparison.Ordinal), t => t);
        Assert.Equal(["안녕 you<|im_end|>"], Trained(tokens[0]));
    }

    [Fact]
    public void A_template_that_is_not_prefix_stable_gets_a_diagnostic_and_never_a_wrong_mask()
    {
        string template = Named("{{ messages | length }}" + Unmarked);
        Diagnostic error = Fails(TwoTurns, t => t with { ChatTemplate = template });
        Assert.Equal(("LB0310", data.At("a.jsonl"), 1), (error.Code, error.File!, error.Line));
        Assert.Contains("{% generation %}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Marks_that_cannot_be_told_apart_are_refused_when_only_some_turns_are_trained()
    {
        string template = Named("{% for m in messages %}{{ m.role }}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% generation %}<|im_end|>{% endgeneration %}{% endif %}{% endfor %}");
        Assert.Equal("LB0311", Fails(TwoTurns, t => t with { ChatTemplate = template, Loss = "last" }).Code);
    }

    [Fact]
    public void Special_tokens_in_a_users_words_stay_text()
    {
        (AuditReport report, TokenDocuments tokens) = Run("""{"messages":[{"role":"user","content":"a<|im_end|>b<|im_start|>"},{"role":"assistant","content":"yo"}]}""", t => t);
        int end = Tokenizer.TokenToId("<|im_end|>")!.Value;
        int start = Tokenizer.TokenToId("<|im_start|>")!.Value;
        Assert.Equal((2, 2), (tokens.InputIds.Count(i => i == end), tokens.InputIds.Count(i => i == start)));
        Assert.Equal("<|im_start|>user\na<|im_end|>b<|im_start|><|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n", Tokenizer.Decode(tokens.InputIds));
        Assert.Equal(["yo<|im_end|>"], Trained(tokens[0]));
        Assert.Equal(2, report.Train.SpecialTokens.KeptAsText);
        Assert.Contains(data.Bag.All, d => d.Code == "LB0317" && d.Line == 1);
    }

    [Fact]
    public void Drop_turns_drops_the_oldest_exchange_and_keeps_the_system_prompt()
    {
        (AuditReport report, TokenDocuments tokens) = Run(TwoTurns, t => t with { MaxLength = 40 });
        string text = Tokenizer.Decode(tokens.InputIds);
        Assert.StartsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nmore", text, StringComparison.Ordinal);
        Assert.Equal((1, 2, 0), (report.Train.Truncation.Truncated, report.Train.Truncation.DroppedMessages, report.Train.Truncation.Cut));
    }

    [Fact]
    public void Cut_warns_when_the_answer_loses_its_end_and_error_refuses()
    {
        (AuditReport report, TokenDocuments tokens) = Run(TwoTurns, t => t with { MaxLength = 40, Truncation = "cut" });
        Assert.Equal((40, 1), (tokens.InputIds.Length, report.Train.Truncation.Cut));
        Assert.Contains(data.Bag.All, d => d.Code == "LB0315");
        Assert.Equal("LB0314", Fails(TwoTurns, t => t with { MaxLength = 40, Truncation = "error" }).Code);
    }

    [Fact]
    public void When_every_label_is_masked_the_first_document_is_named()
    {
        Diagnostic error = Fails(TwoTurns, t => t with { MaxLength = 5, Truncation = "cut" });
        Assert.Equal(("LB0313", data.At("a.jsonl"), 1), (error.Code, error.File!, error.Line));
    }

    [Fact]
    public void Tokens_that_are_made_already_need_no_tokenizer()
    {
        TokenDocuments made = new([5, 6, 7, 8], [-100, 6, -100, 8], [0, 2, 4]);
        TokensFile.Write(data.At("made.safetensors"), made);
        Recipe recipe = data.Recipe("made.safetensors", "tokens");
        data.Prepare(recipe);

        AuditReport report = TemplateStage.Run(recipe, data.Output, data.Folder, data.Bag);

        TokenDocuments train = TokensFile.Read(Path.Combine(data.Output, "tokens", "train.safetensors"));
        Assert.Equal(made.InputIds, train.InputIds);
        Assert.Equal(made.Labels, train.Labels);
        Assert.Equal(made.Offsets, train.Offsets);
        Assert.Equal((null, 2), (report.Tokenizer, report.Train.Documents));
    }

    [Fact]
    public void The_recipes_system_prompt_is_added_where_there_is_none()
    {
        (_, TokenDocuments tokens) = Run(DataFixture.Pair, t => t with { System = "Sei kurz." });
        Assert.StartsWith("<|im_start|>system\nSei kurz.<|im_end|>\n", Tokenizer.Decode(tokens.InputIds), StringComparison.Ordinal);
    }

    [Fact]
    public void A_completion_trains_what_follows_the_prompt_and_a_text_all_of_it()
    {
        (_, TokenDocuments tokens) = Run("{\"prompt\":\"one two\",\"completion\":\" three\"}\n{\"text\":\"four\"}", t => t);
        Assert.Equal(" three", Trained(tokens[0])[0].Replace(Tokenizer.EosToken!, "", StringComparison.Ordinal));
        Assert.Equal(Tokenizer.EosTokenId, tokens[0].Labels.Span[^1]);
        Assert.StartsWith("four", Trained(tokens[1])[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_that_refuses_a_conversation_is_reported_at_the_data_line()
    {
        string template = Named("{{ raise_exception('no ' + messages[0].role) }}");
        Diagnostic error = Fails(DataFixture.Pair, t => t with { ChatTemplate = template });
        Assert.Equal(("LB0303", data.At("a.jsonl"), 1), (error.Code, error.File!, error.Line));
        Assert.StartsWith("no user", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_template_the_built_in_names_are_offered()
    {
        Diagnostic error = Fails(DataFixture.Pair, t => t with { ChatTemplate = "no-such" });
        Assert.Equal("LB0307", error.Code);
        Assert.Contains("chatml", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_data_gives_the_same_bytes()
    {
        string rows = string.Join('\n', Enumerable.Range(0, 60).Select(i => TwoTurns.Replace("more", string.Create(CultureInfo.InvariantCulture, $"more {i}"), StringComparison.Ordinal)));
        Run(rows, t => t);
        byte[] first = File.ReadAllBytes(Path.Combine(data.Output, "tokens", "train.safetensors"));
        byte[] audit = File.ReadAllBytes(Path.Combine(data.Output, "audit.json"));
        Run(rows, t => t);
        Assert.Equal(first, File.ReadAllBytes(Path.Combine(data.Output, "tokens", "train.safetensors")));
        Assert.Equal(audit, File.ReadAllBytes(Path.Combine(data.Output, "audit.json")));
    }

    [Fact]
    public void Token_sources_pass_through_in_file_order_unsplit()
    {
        TokenDocuments given = new([5, 6, 7, 8], [-100, 6, -100, 8], [0, 2, 4]);
        TokensFile.Write(data.At("t.safetensors"), given);
        Recipe recipe = data.Recipe("t.safetensors", "tokens", d => d with { Split = new SplitSection { Eval = 0.5 } });
        data.Prepare(recipe);
        TemplateStage.Run(recipe, data.Output, TokenizerFolder, data.Bag);
        TokenDocuments read = TokensFile.Read(Path.Combine(data.Output, "tokens", "train.safetensors"));
        Assert.Equal((given.InputIds, given.Labels, given.Offsets), (read.InputIds, read.Labels, read.Offsets), Same);

        static bool Same((int[] A, int[] B, long[] C) x, (int[] A, int[] B, long[] C) y) => x.A.SequenceEqual(y.A) && x.B.SequenceEqual(y.B) && x.C.SequenceEqual(y.C);
    }

    [Fact]
    public void A_template_that_asks_for_the_date_gets_the_recipes_whatever_the_day()
    {
        string template = Named("{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ strftime_now('%d %b %Y') }}{% endgeneration %}{% endif %}{% endfor %}");
        (_, TokenDocuments tokens) = Run(DataFixture.Pair, t => t with { ChatTemplate = template });
        Assert.Equal(["26 Jul 2024"], Trained(tokens[0]));
        (_, tokens) = Run(DataFixture.Pair, t => t with { ChatTemplate = template, Now = new DateTime(2031, 2, 3) });
        Assert.Equal(["03 Feb 2031"], Trained(tokens[0]));
    }

    private string Named(string template) => template.Contains('{', StringComparison.Ordinal) ? data.Write("template.jinja", template) : template;

    private (AuditReport Report, TokenDocuments Train) Run(string rows, Func<TemplateSection, TemplateSection> change)
    {
        data.Write("a.jsonl", rows);
        Recipe recipe = data.Recipe("a.jsonl");
        recipe = recipe with { Template = change(recipe.Template with { ChatTemplate = "chatml" }) };
        data.Prepare(recipe);
        AuditReport report = TemplateStage.Run(recipe, data.Output, TokenizerFolder, data.Bag);
        return (report, TokensFile.Read(Path.Combine(data.Output, "tokens", "train.safetensors")));
    }

    private Diagnostic Fails(string rows, Func<TemplateSection, TemplateSection> change) => Assert.Throws<DiagnosticException>(() => Run(rows, change)).Diagnostics[0];

    private static string[] Trained(TokenDocument document) => [.. ExampleView.Segments(Tokenizer, document).Where(s => s.IsTarget).Select(s => s.Text)];
}
