// The Modelfile with which `ollama create` takes a GGUF file.
using System.Text;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Export;

public static class OllamaModelfile
{
    private const string ChatMl = """
        {{- range .Messages }}<|im_start|>{{ .Role }}
        {{ .Content }}<|im_end|>
        {{ end }}<|im_start|>assistant

        """;

    private const string Llama3 = """
        {{- range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>

        {{ .Content }}<|eot_id|>
        {{- end }}<|start_header_id|>assistant<|end_header_id|>


        """;

    /// <summary>Writes <c>Modelfile</c> beside the GGUF file, with the model's template where it is ChatML or Llama 3 (else Ollama takes the one inside the GGUF file).</summary>
    /// <returns>The path written.</returns>
    public static string Write(string ggufFile, string modelDirectory)
    {
        string path = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(ggufFile))!, "Modelfile");
        AtomicFile.WriteAllText(path, Text(Path.GetFileName(ggufFile), TokenizerSettings.Read(modelDirectory)));
        return path;
    }

    internal static string Text(string ggufFileName, TokenizerSettings settings)
    {
        (string? template, string? stop) = Known(settings.ChatTemplate ?? "");
        StringBuilder text = new();
        text.Append("FROM ./").Append(ggufFileName).Append('\n');
        if (template is not null)
            text.Append("TEMPLATE \"\"\"").Append(template).Append("\"\"\"\n");
        foreach (string token in new[] { stop, settings.EosToken }.OfType<string>().Distinct().Where(t => t.Length > 0))
            text.Append("PARAMETER stop \"").Append(token.Replace("\"", "\\\"", StringComparison.Ordinal)).Append("\"\n");
        return text.ToString();
    }

    private static (string? Template, string? Stop) Known(string jinja)
    {
        if (jinja.Contains("<|im_start|>", StringComparison.Ordinal) && jinja.Contains("<|im_end|>", StringComparison.Ordinal))
            return (ChatMl, "<|im_end|>");
        if (jinja.Contains("<|start_header_id|>", StringComparison.Ordinal) && jinja.Contains("<|eot_id|>", StringComparison.Ordinal))
            return (Llama3, "<|eot_id|>");
        if (jinja.Contains("<start_of_turn>", StringComparison.Ordinal)) // Gemma ends a turn with a token that is not its eos_token
            return (null, "<end_of_turn>");
        return (null, null);
    }
}
