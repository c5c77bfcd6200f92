// Modelfiles name the file, the template in Ollama's language, and where to stop.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class OllamaModelfileTests
{
    public static TheoryData<string> Models() => [.. GgufModels.Names];

    [Fact]
    public void ChatML_has_its_template_and_stop()
    {
        string text = Modelfile("qwen2");
        Assert.StartsWith("FROM ./bot-q8_0.gguf\nTEMPLATE \"\"\"", text, StringComparison.Ordinal);
        Assert.Contains("{{ if eq .Role \"user\" }}<|im_start|>user\n{{ .Content }}<|im_end|>\n{{ end }}", text, StringComparison.Ordinal);
        Assert.EndsWith("<|im_start|>assistant\n\"\"\"\nPARAMETER stop \"<|im_end|>\"\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Stops_are_the_ends_of_turns_and_of_the_text()
    {
        Assert.EndsWith("PARAMETER stop \"<|eot_id|>\"\n", Modelfile("llama3-rope"), StringComparison.Ordinal);
        Assert.EndsWith("PARAMETER stop \"<end_of_turn>\"\nPARAMETER stop \"<eos>\"\n", Modelfile("gemma3-text"), StringComparison.Ordinal);
        Assert.EndsWith("PARAMETER stop \"</s>\"\n", Modelfile("mistral"), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Each_golden_models_template_gives_what_the_Jinja_one_gives(string name)
    {
        TokenizerSettings settings = TokenizerSettings.Read(GgufModels.Folder(name));
        JsonObject variables = new() { ["bos_token"] = settings.BosToken, ["eos_token"] = settings.EosToken };
        bool addsBos = GgufTokenizer.AddsBos(GgufModels.Folder(name));
        OllamaTemplate template = OllamaTemplate.Derive(settings.ChatTemplate!, variables, addsBos ? settings.BosToken : null)!;
        (string Role, string Content)[] turns = [("user", "one"), ("assistant", "two"), ("user", "three")];
        JsonArray messages = new([.. turns.Select(t => (JsonNode)new JsonObject { ["role"] = t.Role, ["content"] = t.Content })]);
        string expected = ChatTemplate.Parse(settings.ChatTemplate!, name).Render(new ChatRenderRequest { Messages = messages, AddGenerationPrompt = true, Variables = variables }).Text;
        Assert.Equal(expected, (addsBos && expected.StartsWith(settings.BosToken!, StringComparison.Ordinal) ? settings.BosToken : "") + template.Text(null, turns));
        Assert.Contains(template.GoText(), Modelfile(name), StringComparison.Ordinal);
    }

    [Fact]
    public void A_default_system_prompt_stands_only_where_there_is_none()
    {
        OllamaTemplate template = Derive("{% if messages[0].role != 'system' %}<s>default</s>{% endif %}{% for m in messages %}<{{ m.role }}>{{ m.content }}</{{ m.role }}>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}")!;
        Assert.Equal("<s>default</s><user>a</user><assistant>", template.Text(null, [("user", "a")]));
        Assert.Equal("<system>x</system><user>a</user><assistant>", template.Text("x", [("user", "a")]));
        Assert.StartsWith("{{ if not .System }}<s>default</s>{{ end }}{{ range", template.GoText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_system_prompt_inside_the_first_users_turn_stays_there()
    {
        OllamaTemplate template = Derive("{% if messages[0].role == 'system' %}{% set s = messages[0].content + '\n--\n' %}{% set rest = messages[1:] %}{% else %}{% set s = '' %}{% set rest = messages %}{% endif %}{% for m in rest %}[{{ m.role }}] {{ s if loop.first }}{{ m.content }}\n{% endfor %}[assistant] ")!;
        Assert.True(template.IsSystemInUser);
        Assert.Equal("[user] x\n--\na\n[assistant] ", template.Text("x", [("user", "a")]));
        Assert.Contains("{{ if and $.System (le $i 1) }}{{ $.System }}\n--\n{{ end }}", template.GoText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_system_prompt_inside_the_last_users_turn_moves_with_it()
    {
        OllamaTemplate template = Derive("{% if messages[0].role == 'system' %}{% set s = messages[0].content + '\n\n' %}{% set rest = messages[1:] %}{% else %}{% set s = '' %}{% set rest = messages %}{% endif %}{% for m in rest %}{% if m.role == 'user' %}[INST] {{ s if loop.last }}{{ m.content }}[/INST]{% else %} {{ m.content }}</s>{% endif %}{% endfor %}")!;
        Assert.True(template.IsSystemInLast);
        Assert.Equal("[INST] a[/INST] b</s>[INST] x\n\nc[/INST]", template.Text("x", [("user", "a"), ("assistant", "b"), ("user", "c")]));
        Assert.Contains("{{ if and $.System (eq (len (slice $.Messages $i)) 1) }}{{ $.System }}", template.GoText(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_date_is_the_one_that_the_template_falls_back_to() =>
        Assert.Equal("26 Jul 2024|user:a|", Derive("{{ strftime_now('%d %b %Y') }}|{% for m in messages %}{{ m.role }}:{{ m.content }}|{% endfor %}")!.Text(null, [("user", "a")]));

    [Theory]
    [InlineData("{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}")] // turns differ by place
    [InlineData("{{ messages[-1].content }}")] // what was said before is dropped
    [InlineData("{% for m in messages %}{{ m.content | upper }}{% endfor %}")]
    [InlineData("{{ raise_exception('no') }}")]
    public void A_template_that_the_pieces_cannot_say_is_left_out(string jinja)
    {
        Assert.Null(Derive(jinja));
        Assert.Equal("FROM ./m.gguf\nPARAMETER stop \"</s>\"\n", OllamaModelfile.Text("m.gguf", new TokenizerSettings("<s>", "</s>", null, null, jinja), addsBos: true));
    }

    private static OllamaTemplate? Derive(string jinja) => OllamaTemplate.Derive(jinja, [], null);

    private static string Modelfile(string name)
    {
        using TemporaryDirectory output = new();
        return File.ReadAllText(OllamaModelfile.Write(Path.Combine(output.Path, "bot-q8_0.gguf"), GgufModels.Folder(name)));
    }
}
