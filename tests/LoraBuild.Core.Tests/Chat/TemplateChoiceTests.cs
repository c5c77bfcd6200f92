// Which template is taken: the model's own files in transformers' order, a name, a file, another model.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tests.Data;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Tests.Chat;

public sealed class TemplateChoiceTests : IDisposable
{
    private static readonly string Source = Path.Combine(RecipeFixtureRoot, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers", "qwen2");
    private readonly DataFixture data = new();

    private static string RecipeFixtureRoot => Recipes.RecipeFixture.Repository;

    [Fact]
    public void A_jinja_file_wins_over_the_configuration()
    {
        Model("""{"chat_template": "config"}""");
        Assert.Equal("config", Text("auto"));
        data.Write("model/chat_template.jinja", "file");
        Assert.Equal("file", Text("auto"));
    }

    [Fact]
    public void Of_several_templates_the_one_for_tools_renders_conversations_with_tools()
    {
        Model("""{"chat_template": [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "with {{ tools | length }}"}, {"name": "rag", "template": "rag"}]}""");
        Assert.Equal(("plain", "with 0", "with 1"), (Text("auto"), Text("auto", []), Text("auto", [new JsonObject()])));
        Assert.Equal("rag", Text("rag"));
        Directory.CreateDirectory(data.At("model/additional_chat_templates"));
        data.Write("model/additional_chat_templates/tool_use.jinja", "from a file");
        Assert.Equal("from a file", Text("auto", []));
    }

    [Fact]
    public void A_model_without_a_default_template_names_those_it_has()
    {
        Model("""{"chat_template": [{"name": "rag", "template": "rag"}]}""");
        Diagnostic error = Assert.Throws<DiagnosticException>(() => Text("auto")).Diagnostics[0];
        Assert.Equal("LB0307", error.Code);
        Assert.Contains("by name (rag)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_base_model_takes_a_file_a_built_in_name_or_another_models_template()
    {
        Model("{}");
        Assert.Contains("chatml", Assert.Throws<DiagnosticException>(() => Text("auto")).Diagnostics[0].Message, StringComparison.Ordinal);
        Assert.Equal("mine", Text(data.Write("mine.jinja", "mine")));
        Assert.Equal("", Text("chatml"));
        Directory.CreateDirectory(data.At("instruct"));
        data.Write("instruct/tokenizer_config.json", """{"chat_template": "instruct"}""");
        Assert.Equal("instruct", Text("model:" + data.At("instruct")));
        Assert.Equal("LB0307", Assert.Throws<DiagnosticException>(() => Text("model:" + data.At("nowhere"))).Diagnostics[0].Code);
    }

    public void Dispose() => data.Dispose();

    private void Model(string config)
    {
        Directory.CreateDirectory(data.At("model"));
        File.Copy(Path.Combine(Source, "tokenizer.json"), data.At("model/tokenizer.json"), overwrite: true);
        data.Write("model/tokenizer_config.json", config);
    }

    private string Text(string choice, JsonArray? tools = null)
    {
        string directory = data.At("model");
        ChatTemplate template = TemplateChoice.Load(choice, Tokenizer.Load(directory), directory, new RecipePlace(null, 0, 0));
        return template.Render(new ChatRenderRequest { Messages = [], Tools = tools }).Text;
    }
}
