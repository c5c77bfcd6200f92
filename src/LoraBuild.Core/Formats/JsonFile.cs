// Reads a JSON object from a file, or says where it is broken.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats;

/// <summary>JSON files beside a model: small, strict, one object.</summary>
public static class JsonFile
{
    /// <summary>The largest tokenizer.json of a public model has about 35 MB.</summary>
    private const long MaxBytes = 200_000_000;

    /// <summary>For files that a person could read: configurations of models and adapters.</summary>
    public const long ConfigBytes = 4_000_000;

    /// <summary>The index of the largest public model, with 90,000 tensors, has about 9 MB.</summary>
    public const long IndexBytes = 20_000_000;

    /// <summary>How this project writes JSON that people read: two spaces, nothing escaped that need not be.</summary>
    public static JsonSerializerOptions Indented { get; } = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="code">The code under which a missing or broken file is reported.</param>
    /// <param name="purpose">What the file is for, for the message: "a model directory needs it".</param>
    /// <param name="maxBytes">A larger file is not read: it is no such file.</param>
    /// <exception cref="DiagnosticException">The file is missing, too large, not JSON (with line and column), or not an object.</exception>
    public static JsonObject ReadObject(string path, string code, string purpose, long maxBytes = MaxBytes)
    {
        string fullPath = Path.GetFullPath(path);
        if (!File.Exists(fullPath))
            throw new DiagnosticException(code, $"the file does not exist; {purpose}", fullPath);
        if (LinkedFile.Length(fullPath) > maxBytes)
            throw new DiagnosticException(code, $"the file has more than {maxBytes} bytes, which no such file has", fullPath);
        try
        {
            byte[] bytes = File.ReadAllBytes(fullPath);
            ReadOnlySpan<byte> text = bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsSpan(3) : bytes;
            JsonNode? node = JsonNode.Parse(text, null, new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = false });
            return node as JsonObject ?? throw new DiagnosticException(code, "a JSON object { … } was expected", fullPath, 1, 1);
        }
        catch (JsonException e)
        {
            throw new DiagnosticException(code, $"not valid JSON: {FirstSentence(e.Message)}", fullPath, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException(code, $"the file cannot be read: {e.Message}", fullPath);
        }
    }

    /// <summary>The library repeats path and position at the end of its message; the diagnostic has them already.</summary>
    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(" Path: ", StringComparison.Ordinal);
        if (end < 0)
            end = message.IndexOf(" LineNumber: ", StringComparison.Ordinal);
        return end < 0 ? message : message[..end];
    }
}
