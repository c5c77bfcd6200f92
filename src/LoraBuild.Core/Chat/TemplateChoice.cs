// Which chat template a recipe means: the model's own, a file, a built-in name, or another model's.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

public static class TemplateChoice
{
    private const string ModelPrefix = "model:";

    /// <param name="chatTemplate">auto | a file | a built-in name | model:DIR.</param>
    /// <param name="place">Where the recipe says so.</param>
    /// <exception cref="DiagnosticException">LB0307: there is no such template; LB0301: it is not valid.</exception>
    public static ChatTemplate Load(string chatTemplate, Tokenizer tokenizer, string tokenizerDirectory, RecipePlace place)
    {
        if (chatTemplate == "auto")
        {
            return tokenizer.ChatTemplateSource is string own
                ? ChatTemplate.Parse(own, PlaceOf(tokenizerDirectory))
                : throw Missing($"the tokenizer in '{tokenizerDirectory}' has no chat template (a base model, probably). Name one with template.chat_template: {string.Join(" | ", BuiltInTemplates.Names)}, a file, or model:DIR of the instruct model.", place);
        }

        if (chatTemplate.StartsWith(ModelPrefix, StringComparison.Ordinal))
        {
            string directory = chatTemplate[ModelPrefix.Length..];
            if (!Path.IsPathRooted(directory) && place.File is string recipe)
                directory = Path.GetFullPath(directory, Path.GetDirectoryName(recipe)!);
            if (!Directory.Exists(directory))
                throw Missing($"the model directory '{directory}' of template.chat_template does not exist.", place);
            return TokenizerConfig.Load(directory).ChatTemplates.TryGetValue("default", out string? other)
                ? ChatTemplate.Parse(other, PlaceOf(directory))
                : throw Missing($"'{directory}' has no chat template: neither chat_template.jinja nor one in tokenizer_config.json.", place);
        }

        // The recipe's reader made a file's path absolute; a name that happens to be a file where the program was started is still a name.
        if (Path.IsPathRooted(chatTemplate) && File.Exists(chatTemplate))
            return ChatTemplate.Parse(File.ReadAllText(chatTemplate), chatTemplate);
        return BuiltInTemplates.Find(chatTemplate) is string builtIn
            ? ChatTemplate.Parse(builtIn, chatTemplate)
            : throw Missing($"template.chat_template is '{chatTemplate}', which is neither a file nor a built-in template; built in are {string.Join(", ", BuiltInTemplates.Names)}.", place);
    }

    private static string PlaceOf(string directory)
    {
        string file = Path.Combine(directory, "chat_template.jinja");
        return File.Exists(file) ? file : Path.Combine(directory, "tokenizer_config.json");
    }

    private static DiagnosticException Missing(string message, RecipePlace place) => new("LB0307", message, place.File, place.Line, place.Column);
}
