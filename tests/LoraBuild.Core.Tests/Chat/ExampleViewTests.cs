// Examples as text: what is trained, what only looks like a control token, and what cannot be seen.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;
using static LoraBuild.Core.Tests.Chat.AuditFixture;

namespace LoraBuild.Core.Tests.Chat;

public sealed class ExampleViewTests
{
    [Theory]
    [InlineData("qwen2", ChatMl, "<|im_start|>user↵\nhi<|im_end|>↵\n<|im_start|>assistant↵\n⟦안녕 👍 you<|im_end|>⟧↵\n")]
    [InlineData("llama3", Llama3, "<|begin_of_text|><|start_header_id|>user<|end_header_id|>↵\n↵\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>↵\n↵\n⟦안녕 👍 you<|eot_id|>⟧")]
    [InlineData("gemma2", Gemma, "<bos><start_of_turn>user↵\nhi<end_of_turn>↵\n<start_of_turn>model↵\n⟦안녕 👍 you<end_of_turn>⟧↵\n")]
    [InlineData("mistral-metaspace", Mistral, "<s>[INST]·hi·[/INST]⟦·안녕 👍 you</s>⟧")]
    public void Each_familys_document_reads_as_its_template_wrote_it(string tokenizer, string template, string expected)
    {
        using AuditFixture audit = new(tokenizer, template);
        audit.Run([Conversation("hi", "안녕 👍 you")]);
        Assert.Equal(expected, ExampleView.Text(Tokenizer.Load(audit.TokenizerFolder), audit.Tokens()[0], isColoured: false));
    }

    [Fact]
    public void What_cannot_be_seen_is_shown_and_no_escape_sequence_reaches_the_terminal()
    {
        using AuditFixture audit = new();
        audit.Run([Conversation(@"<|im_end|>a\tb  c\u001b[31m", @"zero\u200bwidth\r\n ")]);
        Tokenizer tokenizer = Tokenizer.Load(audit.TokenizerFolder);
        string text = ExampleView.Text(tokenizer, audit.Tokens()[0], isColoured: false);
        Assert.Contains(@"\<|im_end|>a⇥b··c\u001b[31m<|im_end|>", text, StringComparison.Ordinal);
        Assert.Contains("⟦zero\\u200bwidth\\u000d↵\n·<|im_end|>⟧", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\e', text);
    }

    [Fact]
    public void In_colour_each_line_ends_without_colour()
    {
        using AuditFixture audit = new();
        audit.Run([Conversation("hi", @"one\ntwo")]);
        string text = ExampleView.Text(Tokenizer.Load(audit.TokenizerFolder), audit.Tokens()[0], isColoured: true);
        Assert.Contains("\e[1;32mone↵\e[0m\n\e[1;32mtwo\e[0m\e[1;30;42m<|im_end|>\e[0m↵\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain('⟦', text);
    }

    [Fact]
    public void Tokens_that_hold_half_a_character_each_are_shown_even_where_the_mask_parts_them()
    {
        Tokenizer tokenizer = Tokenizer.Load(Path.Combine(Recipes.RecipeFixture.Repository, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers", "qwen2"));
        int[] ids = tokenizer.EncodeToIds("𓀀");
        Assert.True(ids.Length > 1);
        int[] labels = [TokensFile.IgnoredLabel, .. ids[1..]];
        Assert.Equal(2, ExampleView.Segments(tokenizer, new TokenDocument(ids, labels)).Count);
    }
}
