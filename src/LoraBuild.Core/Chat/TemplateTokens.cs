// The marks that a chat template writes around turns should be tokens of the tokenizer; a base model's tokenizer with another model's template may lack them.
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

internal static partial class TemplateTokens
{
    private static readonly JsonSerializerOptions Unescaped = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Warns (LB0338) of marks that a rendering of the conversation contains and that the tokenizer cuts into pieces.</summary>
    /// <param name="example">Any conversation of the data.</param>
    public static void Check(ChatTemplate template, Tokenizer tokenizer, Conversation example, DateTime now, RecipePlace place, IDiagnosticSink sink)
    {
        // What the data itself holds is not the template's; the relaxed encoder leaves < and > as they are.
        string words = string.Concat(example.Messages.Select(m => m.Raw.ToJsonString(Unescaped))) + example.Tools?.ToJsonString(Unescaped);
        RenderedConversation rendered;
        try
        {
            rendered = TargetRanges.Render(template, example, DocumentTokenizer.Variables(tokenizer), "all", now);
        }
        catch (DiagnosticException)
        {
            return; // told with the document's line when its turn comes
        }

        string[] missing = [.. Mark().Matches(rendered.Text).Select(m => m.Value).Distinct().Where(m => tokenizer.TokenToId(m) is null && !words.Contains(m, StringComparison.Ordinal))];
        if (missing.Length == 0)
            return;
        sink.Report(Diagnostic.Warning("LB0338", $"The chat template writes {string.Join(", ", missing.Select(m => $"'{m}'"))}, which the tokenizer does not have as a token: it becomes ordinary pieces ({tokenizer.EncodeToIds(missing[0], addSpecialTokens: false).Length} of them for '{missing[0]}'). Where the model was not trained with them so, take base.tokenizer or template.chat_template of the model that belongs to the other.", place.File, place.Line, place.Column));
    }

    /// <summary>Marks as the families write them: &lt;|im_end|&gt;, &lt;start_of_turn&gt;, DeepSeek's wide bars.</summary>
    [GeneratedRegex(@"<\|[\w/.-]+\|>|<(?:start|end)_of_\w+>|<｜[^｜<>]+｜>", RegexOptions.CultureInvariant)]
    private static partial Regex Mark();
}
