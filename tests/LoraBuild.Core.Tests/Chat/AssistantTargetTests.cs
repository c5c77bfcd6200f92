// What is trained, family by family: each answer with the token that ends its turn and nothing else, or a diagnostic. Templates are third-party: read where they are.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using Xunit.Abstractions;

namespace LoraBuild.Core.Tests.Chat;

public sealed class AssistantTargetTests(ITestOutputHelper output)
{
    private static readonly string[] Answers = ["First answer.", "Second answer."];

    /// <summary>Print history otherwise than the turn being answered, or white space that differs: they get the diagnostic.</summary>
    private static readonly HashSet<string> Unstable =
    [
        "command-a-tools", "deepseek-r1-distill", "deepseek-v3", "falcon-instruct", "gemma-4", "gpt-oss", "metharme", "openchat-3.5", "qwen3.5", "solar-instruct", "vicuna", "zephyr-cz",
    ];

    /// <summary>Move the system prompt to the last question.</summary>
    private static readonly HashSet<string> UnstableWithSystem = ["mistral-v3", "mistral-v3-tekken"];

    private static readonly HashSet<string> WithoutSystem = ["gemma-2-it", "train-gemma"];

    /// <summary>Print no token that ends the last turn; the audit warns (LB0319).</summary>
    private static readonly HashSet<string> WithoutEnd = ["glm-4-moe", "qwen1.5-chat"];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_family_trains_each_answer_with_its_end_and_nothing_else_or_says_that_it_cannot(bool withSystem)
    {
        if (ChatGolden.Shared("templates") is not string folder)
        {
            output.WriteLine("skipped: the shared golden data with third-party templates is not on this machine");
            return;
        }

        List<ChatMessage> messages = [Turn("user", "A question?"), Turn("assistant", Answers[0]), Turn("user", "More?"), Turn("assistant", Answers[1])];
        if (withSystem)
            messages.Insert(0, Turn("system", "Be kind."));
        Conversation conversation = new() { Messages = messages };
        JsonObject tokens = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "src", "tokens.json")))!.AsObject();
        List<string> failures = [];
        foreach (string file in Directory.EnumerateFiles(Path.Combine(folder, "src"), "*.jinja").Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileNameWithoutExtension(file);
            string expected = withSystem && WithoutSystem.Contains(name) ? "LB0303" : Unstable.Contains(name) || (withSystem && UnstableWithSystem.Contains(name)) ? "LB0310" : "";
            string got = Outcome(ChatTemplate.Parse(File.ReadAllText(file), name), conversation, Variables(tokens[name]!.AsObject()), hasEnd: !WithoutEnd.Contains(name));
            if (got != expected)
                failures.Add($"{name}: {(got.Length == 0 ? "a mask" : got)}, expected {(expected.Length == 0 ? "a mask" : expected)}");
        }

        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    [Fact]
    public void An_empty_thought_before_the_last_answer_does_not_hide_where_earlier_turns_end()
    {
        // As Qwen3 prints it: only the last answer has a thought.
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}<s>{{ m.role }}\n{% if m.role == 'assistant' and loop.last %}<think></think>\n{% endif %}{{ m.content }}</s>\n{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}", "t");
        RenderedConversation rendered = Render(template, new Conversation { Messages = [Turn("user", "q"), Turn("assistant", "one"), Turn("user", "q"), Turn("assistant", "two")] });
        Assert.Equal(["one</s>", "<think></think>\ntwo</s>"], rendered.Targets.Select(t => rendered.Text[t.Start..t.End]));
    }

    [Fact]
    public void A_turn_whose_end_differs_when_it_is_the_last_gets_the_diagnostic()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}{{ '<stop>' if loop.last else '</s>' }}\n{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}", "t");
        Conversation conversation = new() { Messages = [Turn("user", "q"), Turn("assistant", "one"), Turn("user", "q"), Turn("assistant", "two")] };
        Assert.Equal("LB0310", Assert.Throws<DiagnosticException>(() => Render(template, conversation)).Diagnostics[0].Code);
    }

    [Theory]
    [InlineData("<|end|>\n", "one<|end|>")]
    [InlineData("", "LB0310")] // nothing would end the first turn
    public void A_token_that_is_printed_once_behind_the_whole_conversation_does_not_hide_where_earlier_turns_end(string end, string expected)
    {
        // As Phi-3 prints it.
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}<|{{ m.role }}|>{{ m.content + end }}{% endfor %}{{ '<|assistant|>' if add_generation_prompt else eos_token }}", "t");
        Conversation conversation = new() { Messages = [Turn("user", "q"), Turn("assistant", "one"), Turn("user", "q"), Turn("assistant", "two")] };
        JsonObject variables = new() { ["eos_token"] = "<|endoftext|>", ["end"] = end };
        try
        {
            RenderedConversation rendered = TargetRanges.Render(template, conversation, variables, "assistant", JinjaConformanceTests.Now);
            Assert.Equal([expected, $"two{end}<|endoftext|>"], rendered.Targets.Select(t => rendered.Text[t.Start..t.End]));
        }
        catch (DiagnosticException e)
        {
            Assert.Equal(expected, e.Diagnostics[0].Code);
        }
    }

    [Fact]
    public void An_answer_that_the_template_prints_in_another_form_still_ends_before_the_blanks()
    {
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}<s>{{ m.role }}\n{{ m.content.split('</think>')[-1] | trim }}</s>\n{% endfor %}{% if add_generation_prompt %}<s>assistant\n{% endif %}", "t");
        RenderedConversation rendered = Render(template, new Conversation { Messages = [Turn("user", "q"), Turn("assistant", "<think>a long thought that is not printed at all</think>\n\nyes")] });
        Assert.Equal(["yes</s>"], rendered.Targets.Select(t => rendered.Text[t.Start..t.End]));
    }

    private static RenderedConversation Render(ChatTemplate template, Conversation conversation) => TargetRanges.Render(template, conversation, [], "assistant", JinjaConformanceTests.Now);

    /// <summary>Empty for a right mask, the code of a diagnostic, or what is wrong with the mask.</summary>
    private static string Outcome(ChatTemplate template, Conversation conversation, JsonObject variables, bool hasEnd)
    {
        RenderedConversation rendered;
        try
        {
            rendered = TargetRanges.Render(template, conversation, variables, "assistant", JinjaConformanceTests.Now);
        }
        catch (DiagnosticException e)
        {
            return e.Diagnostics[0].Code;
        }

        string[] targets = [.. rendered.Targets.Select(t => rendered.Text[t.Start..t.End])];
        string all = string.Concat(targets);
        if (targets.Length < Answers.Length || Answers.Where((answer, i) => !targets[i].Contains(answer, StringComparison.Ordinal)).Any())
            return "the answers are not the targets: " + string.Join(" | ", targets);
        if (all.Contains('?', StringComparison.Ordinal) || all.Contains("Be kind.", StringComparison.Ordinal))
            return "more than the answers is trained: " + all;
        // Behind the words a token such as <|im_end|> or </s>.
        bool isEnded = Answers.Select((answer, i) => targets[i][(targets[i].IndexOf(answer, StringComparison.Ordinal) + answer.Length)..].Trim()).All(tail => tail.EndsWith('>') || tail.EndsWith(']'));
        return isEnded == hasEnd ? "" : "the end of a turn is " + (hasEnd ? "not " : "") + "trained: " + string.Join(" | ", targets);
    }

    private static JsonObject Variables(JsonObject tokens) =>
        new(tokens.Where(t => (string?)t.Value is { Length: > 0 }).Select(t => KeyValuePair.Create(t.Key, t.Value?.DeepClone())));

    private static ChatMessage Turn(string role, string content) => new(role, content, null, new JsonObject { ["role"] = role, ["content"] = content });
}
