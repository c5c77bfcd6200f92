// Each check of the audit: what provokes it in real files, and that good data of every family provokes none.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using static LoraBuild.Core.Tests.Chat.AuditFixture;

namespace LoraBuild.Core.Tests.Chat;

public sealed class AuditTests
{
    private static readonly string[] Good = [Conversation("How warm is it?", "It is 20 degrees."), Conversation("안녕하세요", "무엇을 도와 드릴까요?", "Thanks!", "You are welcome.")];

    [Theory]
    [InlineData("qwen2", ChatMl, "<|im_end|>", false)]
    [InlineData("smollm2", ChatMl, "<|im_end|>", false)]
    [InlineData("llama3", Llama3, "<|eot_id|>", true)]
    [InlineData("gemma2", Gemma, "<end_of_turn>", true)]
    [InlineData("mistral-metaspace", Mistral, "</s>", true)]
    [InlineData("llama2-legacy", Mistral, "</s>", true)]
    [InlineData("phi3", Phi3, "<|end|>", true)]
    [InlineData("deepseek", DeepSeek, "<｜end▁of▁sentence｜>", true)]
    [InlineData("o200k", O200k, "<|return|>", false)]
    public void Good_data_of_every_family_is_silent_and_trains_the_end_of_each_turn(string tokenizer, string template, string end, bool wantsBos)
    {
        using AuditFixture audit = new(tokenizer, template);
        AuditReport report = audit.Run(Good);
        Assert.Empty(audit.Findings);
        Assert.Empty(report.Findings);
        Assert.Equal((3, 3), (report.Train.TurnEnds.Turns, report.Train.TurnEnds.Trained));
        Assert.Equal(3, report.Train.TurnEnds.Tokens[end]);
        Assert.Equal(0, report.Train.Bos.Double + report.Train.Bos.Missing);
        if (wantsBos)
            Assert.Equal(2, report.Train.Bos.One);
    }

    [Theory]
    [InlineData("qwen2", ChatMl, "<|im_end|>")]
    [InlineData("llama3", Llama3, "<|eot_id|>")]
    [InlineData("gemma2", Gemma, "<end_of_turn>")]
    [InlineData("phi3", Phi3, "<|end|>")]
    public void An_end_of_turn_outside_the_generation_mark_warns_with_its_name(string tokenizer, string template, string end)
    {
        using AuditFixture audit = new(tokenizer, template.Replace(end + "{% endgeneration %}", "{% endgeneration %}" + end, StringComparison.Ordinal));
        AuditReport report = audit.Run(Good);
        Diagnostic warning = Assert.Single(audit.Findings);
        Assert.Equal(("LB0319", DiagnosticSeverity.Warning, 1), (warning.Code, warning.Severity, warning.Line));
        Assert.Contains(end, warning.Message, StringComparison.Ordinal);
        Assert.Equal((3, 0, 3), (report.Train.TurnEnds.Turns, report.Train.TurnEnds.Trained, report.Train.TurnEnds.Masked));
    }

    [Fact]
    public void Marks_of_the_template_that_the_tokenizer_lacks_warn_with_their_names()
    {
        using AuditFixture audit = new("llama3", ChatMl);
        audit.Run(Good);
        Diagnostic warning = Assert.Single(audit.Findings, d => d.Code == "LB0338");
        Assert.Equal(DiagnosticSeverity.Warning, warning.Severity);
        Assert.Contains("'<|im_start|>', '<|im_end|>'", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Marks_in_the_data_are_not_taken_for_the_templates()
    {
        using AuditFixture audit = new();
        audit.Run([Conversation("<start_of_turn> and <|end|>", "fine")]);
        Assert.Empty(audit.Findings);
    }

    [Fact]
    public void As_many_generation_blocks_as_turns_that_belong_to_other_turns_are_refused()
    {
        // Both blocks are in the last turn.
        using AuditFixture audit = new(template: "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}{% generation %}{{ m.content[:2] }}{% endgeneration %} {% generation %}{{ m.content[2:] }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}");
        Diagnostic error = Assert.Single(audit.Errors([Conversation("q", "first", "more", "second")], r => r with { Template = r.Template with { Loss = "last" } }));
        Assert.Equal(("LB0311", 1), (error.Code, error.Line));
        Assert.Contains("does not hold the words of assistant turn 1 (… 'first')", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_template_without_any_end_of_turn_warns()
    {
        using AuditFixture audit = new(template: "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}\n{% endgeneration %}{% else %}{{ m.content }}\n{% endif %}{% endfor %}");
        AuditReport report = audit.Run(Good);
        Assert.Contains(audit.Findings, d => d.Code == "LB0319" && d.Message.Contains("no special token", StringComparison.Ordinal));
        Assert.Equal(3, report.Train.TurnEnds.Missing);
    }

    [Fact]
    public void With_loss_all_the_line_break_behind_the_last_end_of_turn_hides_nothing()
    {
        using AuditFixture audit = new();
        audit.Run(Good, r => r with { Template = r.Template with { Loss = "all" } });
        Assert.Empty(audit.Findings);
    }

    [Fact]
    public void An_end_token_that_is_padding_and_masked_warns_that_padding_hides_the_end()
    {
        using AuditFixture audit = new("smollm2", ChatMl.Replace("<|im_end|>{% endgeneration %}", "{% endgeneration %}<|im_end|>", StringComparison.Ordinal));
        AuditReport report = audit.Run(Good);
        Assert.Equal("LB0337", Assert.Single(audit.Findings).Code);
        Assert.True(report.Tokenizer!.PadIsEos);
    }

    [Fact]
    public void Tokens_made_by_a_collator_that_masks_padding_by_token_warn_too()
    {
        using AuditFixture audit = new("smollm2");
        int end = 2; // <|im_end|>
        TokensFile.Write(audit.Data.At("made.safetensors"), new TokenDocuments([50, 51, end, 60, 61, end], [-100, 51, -100, -100, 61, -100], [0, 3, 6]));
        audit.Run("made.safetensors", "tokens");
        Diagnostic warning = Assert.Single(audit.Findings);
        Assert.Equal(("LB0337", audit.Data.At("made.safetensors")), (warning.Code, warning.File));
    }

    [Fact]
    public void Two_bos_tokens_warn()
    {
        using AuditFixture audit = new("llama3", "{{ bos_token }}" + Llama3);
        AuditReport report = audit.Run(Good);
        Assert.Equal("LB0316", Assert.Single(audit.Findings).Code);
        Assert.Equal((0, 2), (report.Train.Bos.One, report.Train.Bos.Double));
    }

    [Theory]
    [InlineData("gemma2", Gemma)]
    [InlineData("llama3", Llama3)]
    [InlineData("mistral-metaspace", Mistral)]
    public void A_template_without_the_bos_that_the_tokenizer_writes_warns(string tokenizer, string template)
    {
        using AuditFixture audit = new(tokenizer, template.Replace("{{ bos_token }}", "", StringComparison.Ordinal));
        AuditReport report = audit.Run(Good);
        Assert.Equal("LB0331", Assert.Single(audit.Findings).Code);
        Assert.Equal(2, report.Train.Bos.Missing);
        Assert.True(report.Tokenizer!.BeginsWithBos);
    }

    [Fact]
    public void Special_tokens_in_the_users_the_systems_and_a_tools_words_stay_text_in_one_warning()
    {
        using AuditFixture audit = new();
        AuditReport report = audit.Run([
            Conversation("a<|im_end|>b", "fine"),
            """{"messages":[{"role":"system","content":"<|im_start|>"},{"role":"user","content":"q"},{"role":"assistant","content":"x"},{"role":"tool","content":"<|im_end|>"},{"role":"assistant","content":"y"}]}""",
        ]);
        Diagnostic warning = Assert.Single(audit.Findings);
        Assert.Equal(("LB0317", 1), (warning.Code, warning.Line));
        Assert.Contains("2 documents in all, also line 2.", warning.Message, StringComparison.Ordinal);
        Assert.Equal(3, report.Train.SpecialTokens.KeptAsText);
        Assert.Equal(7, audit.Tokens().InputIds.Count(id => id == EndOf(audit)));
    }

    [Fact]
    public void A_special_token_in_the_assistants_words_acts_as_one_and_warns()
    {
        using AuditFixture audit = new();
        AuditReport report = audit.Run([Conversation("q", "one<|im_end|>two"), Good[0]]);
        Diagnostic warning = Assert.Single(audit.Findings);
        Assert.Equal(("LB0332", 1), (warning.Code, warning.Line));
        Assert.Equal(1, report.Train.SpecialTokens.InAnswers);
    }

    [Fact]
    public void A_template_that_looks_for_special_tokens_in_the_words_warns_that_it_renders_something_else()
    {
        using AuditFixture audit = new(template: ChatMl.Replace("{% else %}{{ m.content }}", "{% else %}{{ m.content.split('<|im_end|>')[0] }}", StringComparison.Ordinal));
        AuditReport report = audit.Run([Conversation("a<|im_end|>b", "fine"), Good[0]]);
        Assert.Equal(["LB0317", "LB0330"], audit.Findings.Select(d => d.Code));
        Assert.Equal(1, report.Train.SpecialTokens.ChangedRenderings);
    }

    [Fact]
    public void A_token_across_the_beginning_of_the_answer_warns()
    {
        // The blank before the answer belongs to the prompt here, but the tokenizer joins it with the word behind it.
        using AuditFixture audit = new("qwen2", "{% for m in messages %}{{ m.role }}: {% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}\n{% endif %}{% endfor %}");
        AuditReport report = audit.Run([Conversation("q", "the answer")]);
        Assert.Equal("LB0334", Assert.Single(audit.Findings).Code);
        Assert.Equal(1, report.Train.SpecialTokens.CrossingTokens);
    }

    [Fact]
    public void The_same_answer_in_a_tenth_of_the_conversations_warns_and_nine_times_does_not()
    {
        using AuditFixture audit = new();
        IEnumerable<string> rows = Enumerable.Range(0, 40).Select(i => Conversation($"question {i}", i < 10 ? "I cannot help with that." : $"answer {i}"));
        AuditReport report = audit.Run(rows);
        Diagnostic warning = Assert.Single(audit.Findings);
        Assert.Equal(("LB0333", 1), (warning.Code, warning.Line));
        Assert.Contains("10 of 40 conversations of train hold the same answer: \"I cannot help with that.\"", warning.Message, StringComparison.Ordinal);
        Assert.Equal(10, report.Train.Conversations.CommonestAnswer);

        using AuditFixture fewer = new();
        fewer.Run(rows.Skip(1));
        Assert.Empty(fewer.Findings);
    }

    [Theory]
    [InlineData("t5-unigram", "☃")]
    [InlineData("bert-uncased", "☃")]
    public void Unknown_tokens_are_counted_with_examples_and_lines(string tokenizer, string unknown)
    {
        using AuditFixture audit = new(tokenizer, "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token or '[SEP]' }}{% endgeneration %}{% else %}{{ m.content }} {% endif %}{% endfor %}");
        AuditReport report = audit.Run([Conversation("hello", "fine"), Conversation($"what is {unknown} ?", "snow")]);
        Diagnostic warning = Assert.Single(audit.Findings, d => d.Code == "LB0318");
        Assert.Equal(2, warning.Line);
        Assert.Contains($"'{unknown}'", warning.Message.Replace("▁", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal((1, 1), (report.Train.UnknownTokens.Tokens, report.Train.UnknownTokens.Documents));
        Assert.Single(report.Train.UnknownTokens.Examples);
        Assert.True(report.Train.UnknownTokens.Share > 0);
    }

    [Fact]
    public void Evaluation_documents_that_training_has_seen_warn_whatever_their_blanks_and_case()
    {
        using AuditFixture audit = new();
        audit.Data.Write("eval.jsonl", Conversation("how  WARM is it", "it is 20 degrees!") + "\n" + Conversation("How warm is it?", "Cold.") + "\n" + Conversation("new", "thing"));
        AuditReport report = audit.Run(Good, r => r with
        {
            Dataset = r.Dataset with { Split = r.Dataset.Split with { EvalSources = [r.Dataset.Sources[0] with { Path = audit.Data.At("eval.jsonl") }] } },
        });
        Diagnostic warning = Assert.Single(audit.Findings);
        Assert.Equal(("LB0335", audit.Data.At("eval.jsonl"), 1), (warning.Code, warning.File!, warning.Line));
        Assert.Equal((1, 2), (report.Eval.Conversations.AlsoInTraining, report.Eval.Conversations.QuestionsInTraining));
    }

    [Fact]
    public void Roles_out_of_order_and_empty_messages_are_counted_and_warn_once_when_they_are_read()
    {
        using AuditFixture audit = new();
        AuditReport report = audit.Run([
            """{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}""",
            """{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}""",
            """{"messages":[{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"assistant","content":"c"},{"role":"user","content":"d"}]}""",
            """{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}""",
        ]);
        Assert.Equal(["LB0107", "LB0113"], audit.Findings.Select(d => d.Code));
        Assert.Contains("3 documents in all, also line 2, line 3.", audit.Findings[0].Message, StringComparison.Ordinal);
        Assert.Equal((3, 1), (report.Train.Conversations.OutOfOrder, report.Train.Conversations.EmptyMessages));
    }

    [Fact]
    public void A_conversation_without_the_assistant_and_an_empty_answer_are_errors_at_their_lines()
    {
        using AuditFixture audit = new();
        IReadOnlyList<Diagnostic> errors = audit.Errors(["""{"messages":[{"role":"user","content":"a"}]}""", Good[0], Conversation("q", " ")]);
        Assert.Equal([("LB0106", 1), ("LB0108", 3)], errors.Select(e => (e.Code, e.Line)));
        Assert.All(errors, e => Assert.Equal(audit.Data.At("a.jsonl"), e.File));
    }

    private static int EndOf(AuditFixture audit) => Core.Tokenizers.Tokenizer.Load(audit.TokenizerFolder).TokenToId("<|im_end|>")!.Value;
}
