// Gathers plain text from files into one JSON Lines file of {"text": …}, for pre-training a small base model.
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Corpus;

/// <param name="Files">Files that were read.</param>
/// <param name="Texts">Lines written.</param>
/// <param name="Characters">UTF-16 units of all texts written.</param>
/// <param name="Duplicates">Texts left out because the same text stood there already.</param>
public sealed record CorpusReport(int Files, int Texts, long Characters, int Duplicates);

public static class CorpusBuilder
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads <c>.xml</c> (documentation), <c>.dll</c> (string resources), everything else as UTF-8 text, and cuts each text at line ends into passages.</summary>
    /// <param name="files">Read in ordinal order of their names, so that the same files give the same bytes.</param>
    /// <param name="passageLength">Characters of a passage (UTF-16 units); a longer line is a passage of its own.</param>
    /// <exception cref="DiagnosticException">LB0122: there are no files, or no text in them.</exception>
    public static CorpusReport Write(IEnumerable<string> files, string outputFile, int passageLength)
    {
        string[] sorted = [.. files.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        HashSet<UInt128> seen = [];
        int texts = 0, duplicates = 0;
        long characters = 0;
        AtomicFile.WriteLines(outputFile, writer =>
        {
            foreach (string text in sorted.SelectMany(Read).SelectMany(text => Passages(text, passageLength)))
            {
                byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
                if (!seen.Add(System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash)))
                {
                    duplicates++;
                    continue;
                }

                writer.WriteLine(JsonSerializer.Serialize(new Line(text), Json));
                texts++;
                characters += text.Length;
            }

            if (texts == 0)
                throw new DiagnosticException("LB0122", $"no text in {sorted.Length} files: name XML documentation files, satellite assemblies or text files", outputFile);
        });
        return new CorpusReport(sorted.Length, texts, characters, duplicates);
    }

    private static IEnumerable<string> Read(string path) => Path.GetExtension(path).ToUpperInvariant() switch
    {
        ".XML" => XmlDocumentationText.Read(path),
        ".DLL" => ResourceText.Read(path),
        _ => [File.ReadAllText(path)],
    };

    private static IEnumerable<string> Passages(string text, int passageLength)
    {
        StringBuilder passage = new();
        foreach (string line in text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (passage.Length > 0 && passage.Length + line.Length >= passageLength)
            {
                yield return passage.ToString();
                passage.Clear();
            }

            if (passage.Length > 0)
                passage.Append('\n');
            passage.Append(line);
        }

        if (passage.Length > 0)
            yield return passage.ToString();
    }

    private sealed record Line([property: System.Text.Json.Serialization.JsonPropertyName("text")] string Text);
}
