// The templates that this project brings along, compared with text written by hand.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;

namespace LoraBuild.Core.Tests.Chat;

public sealed class BuiltInTemplatesTests
{
    private const string Conversation = """[{"role":"system","content":"Be brief."},{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]""";

    [Fact]
    public void Chatml_prints_roles_and_marks_the_answer_with_its_end_token()
    {
        ChatRenderResult result = Render("chatml", []);
        Assert.Equal("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n", result.Text);
        (int start, int end) = Assert.Single(result.Assistant!);
        Assert.Equal("yo<|im_end|>", result.Text[start..end]);
    }

    [Fact]
    public void Llama3_begins_with_bos_and_marks_the_answer_with_its_end_token()
    {
        ChatRenderResult result = Render("llama3", new JsonObject { ["bos_token"] = "<B>" });
        Assert.Equal(
            "<B><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nyo<|eot_id|>",
            result.Text);
        (int start, int end) = Assert.Single(result.Assistant!);
        Assert.Equal("yo<|eot_id|>", result.Text[start..end]);
    }

    [Fact]
    public void Every_name_has_a_template() => Assert.All(BuiltInTemplates.Names, n => Assert.NotNull(BuiltInTemplates.Find(n)));

    private static ChatRenderResult Render(string name, JsonObject variables) =>
        ChatTemplate.Parse(BuiltInTemplates.Find(name)!, name).Render(new ChatRenderRequest { Messages = JsonNode.Parse(Conversation)!.AsArray(), Variables = variables });
}
