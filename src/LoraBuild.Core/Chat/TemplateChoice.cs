// Which chat template a recipe means: the model's own, a file, a built-in name, or another model's.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

public static class TemplateChoice
{
    private const string ModelPrefix = "model:";
    private const string ToolTemplate = "tool_use";

    /// <param name="chatTemplate">auto | a file | a built-in name | the name of one of the model's templates | model:DIR.</param>
    /// <param name="place">Where the recipe says so.</param>
    /// <exception cref="DiagnosticException">LB0307: there is no such template; LB0301: it is not valid.</exception>
    public static ChatTemplate Load(string chatTemplate, Tokenizer tokenizer, string tokenizerDirectory, RecipePlace place)
    {
        if (chatTemplate == "auto")
        {
            return OfModel(tokenizer.ChatTemplates, tokenizerDirectory)
                ?? throw Missing($"the tokenizer in '{tokenizerDirectory}' has {Without(tokenizer.ChatTemplates)}. Name one with template.chat_template: {string.Join(" | ", BuiltInTemplates.Names)}, a file, or model:DIR of the instruct model.", place);
        }

        if (chatTemplate.StartsWith(ModelPrefix, StringComparison.Ordinal))
        {
            string directory = chatTemplate[ModelPrefix.Length..];
            if (!Path.IsPathRooted(directory) && place.File is string recipe)
                directory = Path.GetFullPath(directory, Path.GetDirectoryName(recipe)!);
            if (!Directory.Exists(directory))
                throw Missing($"the model directory '{directory}' of template.chat_template does not exist.", place);
            IReadOnlyDictionary<string, string> others = TokenizerConfig.Load(directory).ChatTemplates;
            return OfModel(others, directory)
                ?? throw Missing($"'{directory}' has {Without(others)}: neither chat_template.jinja nor a default one in tokenizer_config.json.", place);
        }

        // The recipe's reader made a file's path absolute; a name that happens to be a file where the program was started is still a name.
        if (Path.IsPathRooted(chatTemplate) && File.Exists(chatTemplate))
            return ChatTemplate.Parse(File.ReadAllText(chatTemplate), chatTemplate);
        if (tokenizer.ChatTemplates.TryGetValue(chatTemplate, out string? named))
            return ChatTemplate.Parse(named, $"{tokenizerDirectory}#{chatTemplate}");
        return BuiltInTemplates.Find(chatTemplate) is string builtIn
            ? ChatTemplate.Parse(builtIn, chatTemplate)
            : throw Missing($"template.chat_template is '{chatTemplate}', which is neither a file nor a built-in template; built in are {string.Join(", ", BuiltInTemplates.Names)}.", place);
    }

    /// <summary>The default one, with the one for tools where there is one, as transformers picks them; null without a default.</summary>
    public static ChatTemplate? OfModel(IReadOnlyDictionary<string, string> templates, string directory)
    {
        if (!templates.TryGetValue("default", out string? source))
            return null;
        ChatTemplate? forTools = templates.TryGetValue(ToolTemplate, out string? tools) ? ChatTemplate.Parse(tools, $"{directory}#{ToolTemplate}") : null;
        return ChatTemplate.Parse(source, PlaceOf(directory), forTools);
    }

    private static string Without(IReadOnlyDictionary<string, string> templates) => templates.Count == 0
        ? "no chat template (a base model, probably)"
        : $"no default chat template, but some by name ({string.Join(", ", templates.Keys.Order(StringComparer.Ordinal))})";

    private static string PlaceOf(string directory)
    {
        string file = Path.Combine(directory, "chat_template.jinja");
        return File.Exists(file) ? file : Path.Combine(directory, "tokenizer_config.json");
    }

    private static DiagnosticException Missing(string message, RecipePlace place) => new("LB0307", message, place.File, place.Line, place.Column);
}
