// A pipeline's directory with data of a test, a tokenizer of one family, and a chat template; and what the stage says about them.
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tests.Data;
using LoraBuild.Core.Tests.Recipes;

namespace LoraBuild.Core.Tests.Chat;

internal sealed class AuditFixture : IDisposable
{
    public const string ChatMl = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\\n' }}{% endfor %}";
    public const string Llama3 = "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|eot_id|>{% endgeneration %}{% else %}{{ m.content }}<|eot_id|>{% endif %}{% endfor %}";
    public const string Gemma = "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<end_of_turn>{% endgeneration %}{% else %}{{ m.content }}<end_of_turn>{% endif %}{{ '\\n' }}{% endfor %}";
    public const string Mistral = "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}{% generation %} {{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}[INST] {{ m.content }} [/INST]{% endif %}{% endfor %}";
    public const string Phi3 = "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{{ '\\n' }}{% endfor %}";
    public const string DeepSeek = "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}<｜Assistant｜>{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}<｜User｜>{{ m.content }}{% endif %}{% endfor %}";
    public const string O200k = "{% for m in messages %}<|start|>{{ m.role }}<|message|>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|return|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}";

    public AuditFixture(string tokenizer = "qwen2", string template = ChatMl)
    {
        TokenizerFolder = Path.Combine(RecipeFixture.Repository, "tests", "LoraBuild.Core.Tests", "golden", "tokenizers", tokenizer);
        Template = Data.Write("template.jinja", template);
    }

    public DataFixture Data { get; } = new();

    public string TokenizerFolder { get; private set; }

    public string Template { get; }

    public TemplateStageOptions? Options { get; set; }

    public IReadOnlyList<Diagnostic> Findings => Data.Bag.All;

    public string Audit => Data.At(Path.Combine("out", "audit.json"));

    public static string Conversation(params string[] turns) =>
        $"{{\"messages\":[{string.Join(',', turns.Select((t, i) => $"{{\"role\":\"{(i % 2 == 0 ? "user" : "assistant")}\",\"content\":\"{t}\"}}"))}]}}";

    /// <summary>A copy whose files a test may change.</summary>
    public void ChangeTokenizer(string file, string old, string @new)
    {
        string copy = Data.At("tokenizer");
        Directory.CreateDirectory(copy);
        foreach (string path in Directory.EnumerateFiles(TokenizerFolder))
            File.Copy(path, Path.Combine(copy, Path.GetFileName(path)), overwrite: true);
        string text = File.ReadAllText(Path.Combine(copy, file));
        Assert.Contains(old, text, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(copy, file), text.Replace(old, @new, StringComparison.Ordinal));
        TokenizerFolder = copy;
    }

    public AuditReport Run(IEnumerable<string> rows, Func<Recipe, Recipe>? change = null)
    {
        Data.Write("a.jsonl", string.Join('\n', rows));
        return Run("a.jsonl", "auto", change);
    }

    public AuditReport Run(string file, string format, Func<Recipe, Recipe>? change = null)
    {
        Recipe recipe = Data.Recipe(file, format);
        recipe = recipe with { Template = recipe.Template with { ChatTemplate = Template } };
        recipe = change?.Invoke(recipe) ?? recipe;
        Data.Prepare(recipe);
        return TemplateStage.Run(recipe, Data.Output, TokenizerFolder, Data.Bag, Options);
    }

    public IReadOnlyList<Diagnostic> Errors(IEnumerable<string> rows, Func<Recipe, Recipe>? change = null) =>
        Assert.Throws<DiagnosticException>(() => Run(rows, change)).Diagnostics;

    public TokenDocuments Tokens(string split = "train") => TokensFile.Read(Data.At(Path.Combine("out", "tokens", split + ".safetensors")));

    public void Dispose() => Data.Dispose();
}
