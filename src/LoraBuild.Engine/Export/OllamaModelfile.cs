// The Modelfile with which `ollama create` takes a GGUF file.
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Export;

public static class OllamaModelfile
{
    /// <summary>Tokens that end a turn in one family or another; those that the model's template uses are where an answer stops.</summary>
    private static readonly string[] TurnEnds = ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<|end_of_text|>", "<|endoftext|>"];

    /// <summary>Writes <c>Modelfile</c> beside the GGUF file, with the model's template in Ollama's language where it can be said in it (see <see cref="OllamaTemplate"/>).</summary>
    /// <returns>The path written.</returns>
    public static string Write(string ggufFile, string modelDirectory)
    {
        string path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(ggufFile))!, "Modelfile");
        AtomicFile.WriteAllText(path, Text(Path.GetFileName(ggufFile), TokenizerSettings.Read(modelDirectory), GgufTokenizer.AddsBos(modelDirectory)));
        return path;
    }

    internal static string Text(string ggufFileName, TokenizerSettings settings, bool addsBos)
    {
        StringBuilder text = new();
        text.Append("FROM ./").Append(ggufFileName).Append('\n');
        string jinja = settings.ChatTemplate ?? "";
        if (jinja.Length > 0 && OllamaTemplate.Derive(jinja, Variables(settings), addsBos ? settings.BosToken : null) is OllamaTemplate template)
            text.Append("TEMPLATE \"\"\"").Append(template.GoText()).Append("\"\"\"\n");
        foreach (string token in TurnEnds.Where(t => jinja.Contains(t, StringComparison.Ordinal)).Append(settings.EosToken).OfType<string>().Distinct().Where(t => t.Length > 0))
            text.Append("PARAMETER stop \"").Append(token.Replace("\"", "\\\"", StringComparison.Ordinal)).Append("\"\n");
        return text.ToString();
    }

    private static JsonObject Variables(TokenizerSettings settings)
    {
        JsonObject variables = [];
        foreach ((string name, string? token) in new[] { ("bos_token", settings.BosToken), ("eos_token", settings.EosToken), ("unk_token", settings.UnkToken), ("pad_token", settings.PadToken) })
        {
            if (token is not null)
                variables[name] = token;
        }

        return variables;
    }
}
