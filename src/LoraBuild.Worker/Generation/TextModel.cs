// A model with its tokenizer: text in, text out.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraBuild.Worker.Generation;

/// <param name="EndTokens">Any of these ends a text.</param>
public sealed record TextModel(CausalLM Model, Tokenizer Tokenizer, IReadOnlyCollection<int> EndTokens)
{
    private const string Replacement = "\ufffd";

    /// <param name="tokenizer">Of the model, or another that fits it.</param>
    /// <exception cref="DiagnosticException">LB0827: the tokenizer has more tokens than the model.</exception>
    public static TextModel Create(CausalLM model, Tokenizer tokenizer)
    {
        if (tokenizer.VocabularySize > model.VocabSize)
            throw new DiagnosticException("LB0827", $"the tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.VocabSize}: they do not belong together.", model.ModelDirectory);
        SortedSet<int> ends = [.. model.Config.EosTokenIds, .. OfGenerationConfig(model.ModelDirectory)];
        if (tokenizer.EosTokenId is int end)
            ends.Add(end);
        return new TextModel(model, tokenizer, ends);
    }

    /// <summary>Continues <paramref name="promptIds"/>.</summary>
    /// <param name="onText">Gets the text piece by piece, whole characters only.</param>
    /// <returns>The new tokens without an end token at the end, and their text.</returns>
    public (int[] Ids, string Text) Complete(int[] promptIds, GenerationOptions options, Action<string>? onText, CancellationToken cancellation)
    {
        List<int> all = [.. promptIds];
        string prompt = Tokenizer.Decode(promptIds, skipSpecialTokens: true);
        int shown = 0;
        int[] ids = TextGenerator.Generate(
            Model,
            promptIds,
            options with { EosTokenIds = EndTokens },
            id =>
            {
                all.Add(id);
                string text = TextAfter(prompt, all, promptIds.Length);
                // Bytes of a character that is not complete yet are shown when it is.
                if (onText is null || text.EndsWith(Replacement, StringComparison.Ordinal) || text.Length <= shown)
                    return;
                onText(text[shown..]);
                shown = text.Length;
            },
            cancellation);
        string result = TextAfter(prompt, [.. promptIds, .. ids], promptIds.Length);
        if (onText is not null && result.Length > shown)
            onText(result[shown..]);
        return (ids.Length > 0 && EndTokens.Contains(ids[^1]) ? ids[..^1] : ids, result);
    }

    /// <summary>What the new tokens add to the prompt's text: some tokenizers drop a blank at the start of a text, which is none here.</summary>
    private string TextAfter(string prompt, List<int> ids, int promptLength)
    {
        string whole = Tokenizer.Decode([.. ids], skipSpecialTokens: true);
        return whole.StartsWith(prompt, StringComparison.Ordinal) ? whole[prompt.Length..] : Tokenizer.Decode([.. ids[promptLength..]], skipSpecialTokens: true);
    }

    private static IEnumerable<int> OfGenerationConfig(string directory)
    {
        string file = Path.Combine(directory, "generation_config.json");
        if (!File.Exists(file))
            return [];
        return JsonFile.ReadObject(file, "LB0828", "the generation settings")["eos_token_id"] switch
        {
            JsonArray list => [.. list.Where(n => n?.GetValueKind() == JsonValueKind.Number).Select(n => n!.GetValue<int>())],
            JsonValue value when value.TryGetValue(out int id) => [id],
            _ => [],
        };
    }
}
