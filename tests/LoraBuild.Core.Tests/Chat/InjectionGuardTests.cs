// Control tokens in a user's words: none of them becomes one, and the ids around them are those of the same text read without special tokens.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;
using static LoraBuild.Core.Tests.Chat.AuditFixture;

namespace LoraBuild.Core.Tests.Chat;

public sealed class InjectionGuardTests
{
    private const string Plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";

    [Theory]
    [InlineData("llama2-legacy", "</s>")]
    [InlineData("llama3", "<|eot_id|>")]
    [InlineData("phi3", "<|end|>")]
    [InlineData("gemma2", "<end_of_turn>")]
    [InlineData("mistral-metaspace", "</s>")]
    [InlineData("qwen2", "<|im_end|>")]
    [InlineData("smollm2", "<|im_end|>")]
    [InlineData("deepseek", "<｜end▁of▁sentence｜>")]
    public void Guarded_text_has_the_ids_of_the_same_text_read_without_special_tokens(string folder, string token)
    {
        using AuditFixture audit = new(folder, Plain);
        string words = $"{token}a{token} b {token}\\n{token}{token}c, 안녕{token}하세요";
        audit.Run([Conversation(words, "fine")], r => r with { Template = r.Template with { Loss = "all" } });
        Tokenizer tokenizer = Tokenizer.Load(audit.TokenizerFolder);
        int[] expected = tokenizer.Encode($"user: {words.Replace("\\n", "\n", StringComparison.Ordinal)}\nassistant: fine\n", addSpecialTokens: false, splitSpecialTokens: true).Ids;
        Assert.Equal(expected, audit.Tokens().InputIds);
        Assert.Contains(audit.Findings, d => d.Code == "LB0317" && d.Message.Contains(token, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("deepseek", DeepSeek, "<｜User｜>")]
    [InlineData("qwen2", ChatMl + "{# <tool_call> #}", "<tool_call>")]
    public void Tokens_that_are_not_special_but_written_by_the_template_stay_text_in_a_users_words(string folder, string template, string token)
    {
        using AuditFixture audit = new(folder, template);
        AuditReport report = audit.Run([Conversation($"a{token}b", "fine"), Conversation("plain", "other")]);
        int id = Tokenizer.Load(audit.TokenizerFolder).TokenToId(token)!.Value;
        TokenDocuments tokens = audit.Tokens();
        int written = token == "<｜User｜>" ? 2 : 0;
        Assert.Equal(written, tokens.InputIds.Count(i => i == id));
        Assert.Equal("LB0317", Assert.Single(audit.Findings).Code);
        Assert.Equal(1, report.Train.SpecialTokens.KeptAsText);
    }

    [Fact]
    public void What_the_template_writes_for_the_assistant_is_itself_in_the_assistants_words()
    {
        using AuditFixture audit = new("qwen2", ChatMl + "{# <tool_call> #}");
        audit.Run([Conversation("q", "<tool_call>{}")]);
        Assert.Empty(audit.Findings);
        Assert.Contains(Tokenizer.Load(audit.TokenizerFolder).TokenToId("<tool_call>")!.Value, audit.Tokens().InputIds);
    }

    [Fact]
    public void An_added_token_that_the_template_does_not_write_is_read_as_the_tokenizer_reads_it()
    {
        using AuditFixture audit = new("qwen2");
        audit.Run([Conversation("<tool_call>", "fine")]);
        Assert.Empty(audit.Findings);
        Assert.Contains(Tokenizer.Load(audit.TokenizerFolder).TokenToId("<tool_call>")!.Value, audit.Tokens().InputIds);
    }

    [Theory]
    [InlineData("""[{"type":"text","text":"<|im_"},{"type":"text","text":"end|>x"}]""")]
    [InlineData("""[{"type":"text","text":"<|im_end|>x"}]""")]
    public void Parts_of_a_message_that_make_a_token_only_together_stay_text(string parts)
    {
        using AuditFixture audit = new(template: ChatMl.Replace("{% else %}{{ m.content }}", "{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}", StringComparison.Ordinal));
        audit.Run(["{\"messages\":[{\"role\":\"user\",\"content\":" + parts + "},{\"role\":\"assistant\",\"content\":\"fine\"}]}"]);
        Assert.Equal("LB0317", Assert.Single(audit.Findings).Code);
        int[] ids = [.. audit.Tokens().InputIds];
        Tokenizer tokenizer = Tokenizer.Load(audit.TokenizerFolder);
        Assert.Equal(2, ids.Count(i => i == tokenizer.EosTokenId));
        Assert.Contains("<|im_end|>x<|im_end|>", tokenizer.Decode(ids), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_and_descriptions_of_tools_are_no_control_tokens_either()
    {
        using AuditFixture audit = new(template: "{{ tools | tojson }}" + ChatMl.Replace("{{ m.role }}\n", "{{ m.role }} {{ m.name }}\n", StringComparison.Ordinal));
        audit.Run(["""{"tools":[{"name":"f","description":"<|im_start|>"}],"messages":[{"role":"user","name":"<|im_end|>","content":"q"},{"role":"assistant","content":"fine"}]}"""]);
        Tokenizer tokenizer = Tokenizer.Load(audit.TokenizerFolder);
        int[] ids = [.. audit.Tokens().InputIds];
        Assert.Equal((2, 2), (ids.Count(i => i == tokenizer.EosTokenId), ids.Count(i => i == tokenizer.TokenToId("<|im_start|>"))));
        Assert.Equal("LB0317", Assert.Single(audit.Findings).Code);
    }

    [Fact]
    public void A_private_use_character_of_the_text_is_not_taken_for_a_stand_in()
    {
        string own = char.ConvertFromUtf32(0x10F000) + char.ConvertFromUtf32(0x10F001);
        using AuditFixture audit = new();
        audit.Run([Conversation($"{own}<|im_end|>", own)]);
        Tokenizer tokenizer = Tokenizer.Load(audit.TokenizerFolder);
        Assert.Equal($"<|im_start|>user\n{own}<|im_end|><|im_end|>\n<|im_start|>assistant\n{own}<|im_end|>\n", tokenizer.Decode([.. audit.Tokens().InputIds]));
    }
}
