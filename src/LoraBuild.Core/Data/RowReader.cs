// Reads the rows of jsonl, json, csv, tsv and txt files. Broken rows are findings with file, line and column; the others are still read.
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using CsvHelper;

namespace LoraBuild.Core.Data;

internal static class RowReader
{
    /// <summary>Bytes of one line; longer ones are surely no conversation.</summary>
    private const int LongestLine = 256 << 20;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    /// <summary>Kinds of files by their ending.</summary>
    public static bool IsKnown(string path) => Kind(path) is ".jsonl" or ".ndjson" or ".json" or ".csv" or ".tsv" or ".txt" or ".safetensors";

    public static IEnumerable<DataRow> Read(string path, DataFindings findings) => Kind(path) switch
    {
        ".json" => ReadJson(path, findings),
        ".csv" => ReadCsv(path, ',', findings),
        ".tsv" => ReadCsv(path, '\t', findings),
        ".txt" => ReadText(path, findings),
        _ => ReadJsonLines(path, findings),
    };

    private static string Kind(string path) => Path.GetExtension(path).ToLowerInvariant();

    private static IEnumerable<DataRow> ReadJsonLines(string path, DataFindings findings)
    {
        foreach ((byte[] bytes, int line) in Lines(path, findings))
        {
            JsonObject? row = ParseRow(bytes, path, line, 1, findings);
            if (row is not null)
                yield return new DataRow(row, line);
        }
    }

    /// <summary>One document a line.</summary>
    private static IEnumerable<DataRow> ReadText(string path, DataFindings findings)
    {
        foreach ((byte[] bytes, int line) in Lines(path, findings))
        {
            if (bytes.AsSpan().IndexOf((byte)0) >= 0)
                findings.Reject("LB0104", "The line holds NUL bytes; this is not a text file.", path, line);
            else
                yield return new DataRow(new JsonObject { ["text"] = Encoding.UTF8.GetString(bytes) }, line);
        }
    }

    /// <summary>Lines that are not blank and are valid UTF-8, without their ends and without a byte order mark.</summary>
    private static IEnumerable<(byte[] Bytes, int Line)> Lines(string path, DataFindings findings)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        byte[] buffer = new byte[1 << 16];
        using MemoryStream current = new();
        int line = 1;
        bool isTooLong = false;
        while (true)
        {
            int read = stream.Read(buffer);
            for (int at = 0; at < read;)
            {
                int end = Array.IndexOf(buffer, (byte)'\n', at, read - at);
                int stop = end < 0 ? read : end;
                if (current.Length + stop - at <= LongestLine)
                    current.Write(buffer, at, stop - at);
                else
                    isTooLong = true;
                at = stop + 1;
                if (end < 0)
                    break;
                if (Complete(current, path, line, isTooLong, findings) is byte[] bytes)
                    yield return (bytes, line);
                current.SetLength(0);
                (isTooLong, line) = (false, line + 1);
            }

            if (read > 0)
                continue;
            if (Complete(current, path, line, isTooLong, findings) is byte[] last)
                yield return (last, line);
            yield break;
        }
    }

    private static byte[]? Complete(MemoryStream current, string path, int line, bool isTooLong, DataFindings findings)
    {
        if (isTooLong)
        {
            findings.Reject("LB0104", $"The line has more than {LongestLine >> 20} MiB; a data set has one document a line.", path, line);
            return null;
        }

        ReadOnlySpan<byte> bytes = current.GetBuffer().AsSpan(0, (int)current.Length);
        if (line == 1 && bytes.StartsWith("\uFEFF"u8))
            bytes = bytes[3..];
        bytes = bytes.EndsWith("\r"u8) ? bytes[..^1] : bytes;
        if (bytes.Trim(" \t"u8).IsEmpty)
            return null;
        if (Utf8.IsValid(bytes))
            return bytes.ToArray();
        int valid = ValidPrefix(bytes);
        findings.Reject("LB0104", $"Byte 0x{bytes[valid]:x2} is not valid UTF-8. Save the file as UTF-8.", path, line, Encoding.UTF8.GetCharCount(bytes[..valid]) + 1);
        return null;
    }

    private static int ValidPrefix(ReadOnlySpan<byte> bytes)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out int consumed) == System.Buffers.OperationStatus.Done)
            at += consumed;
        return at;
    }

    /// <summary>An array of objects, or one object.</summary>
    private static IEnumerable<DataRow> ReadJson(string path, DataFindings findings)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int begin = bytes.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0;
        if (!Utf8.IsValid(bytes.AsSpan(begin)))
        {
            int valid = begin + ValidPrefix(bytes.AsSpan(begin));
            findings.Reject("LB0104", $"Byte 0x{bytes[valid]:x2} is not valid UTF-8. Save the file as UTF-8.", path, LineOf(bytes, valid));
            yield break;
        }

        JsonArrayWalk walk = new(bytes, begin);
        while (walk.Next() is { } value)
        {
            JsonObject? row = ParseRow(bytes.AsSpan(value.Start, value.Length), path, value.Line, value.Column, findings);
            if (row is not null)
                yield return new DataRow(row, value.Line);
        }

        if (walk.Failure is { } e)
            findings.Reject("LB0103", $"Not valid JSON: {Reason(e)}", path, walk.FailureLine, (int)(e.BytePositionInLine ?? 0) + 1);
        else if (walk.LineOfTextBehind is int behind)
            findings.Reject("LB0103", "There is text behind the end of the JSON value. One object a line is JSON Lines: name the file .jsonl.", path, behind);
    }

    private static int LineOf(ReadOnlySpan<byte> text, int position) => text[..position].Count((byte)'\n') + 1;

    private static JsonObject? ParseRow(ReadOnlySpan<byte> bytes, string path, int line, int column, DataFindings findings)
    {
        try
        {
            JsonNode? node = JsonNode.Parse(bytes, documentOptions: Strict);
            if (node is JsonObject row)
            {
                CheckTexts(row);
                return row;
            }

            findings.Reject("LB0105", $"A row must be a JSON object such as {{\"messages\": […]}}, this is {Name(node)}.", path, line, column);
        }
        catch (JsonException e)
        {
            long bytesBefore = Math.Min(e.BytePositionInLine ?? 0, bytes.Length);
            int at = e.LineNumber is null or 0 ? column + Encoding.UTF8.GetCharCount(bytes[..(int)bytesBefore]) : (int)bytesBefore + 1;
            findings.Reject("LB0103", $"Not valid JSON: {Reason(e)}", path, line + (int)(e.LineNumber ?? 0), at);
        }
        catch (InvalidOperationException)
        {
            // A text with half of a surrogate pair (\ud83d alone) is JSON but no Unicode text.
            findings.Reject("LB0103", "A text holds half of a surrogate pair (\\ud800–\\udfff alone), which is no Unicode character.", path, line, column);
        }

        return null;
    }

    private static void CheckTexts(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject o:
                foreach ((string _, JsonNode? value) in o)
                    CheckTexts(value);
                break;
            case JsonArray a:
                foreach (JsonNode? value in a)
                    CheckTexts(value);
                break;
            case JsonValue v when v.GetValueKind() == JsonValueKind.String:
                v.GetValue<string>();
                break;
        }
    }

    /// <summary>The library's text without its own place, which is a diagnostic's.</summary>
    private static string Reason(JsonException e)
    {
        int at = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return at < 0 ? e.Message : e.Message[..at];
    }

    private static string Name(JsonNode? node) => node?.GetValueKind() switch
    {
        null or JsonValueKind.Null => "null",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        _ => "true or false",
    };

    private static IEnumerable<DataRow> ReadCsv(string path, char separator, DataFindings findings)
    {
        byte[] bytes = File.ReadAllBytes(path);
        if (!Utf8.IsValid(bytes))
        {
            int valid = ValidPrefix(bytes);
            findings.Reject("LB0104", $"Byte 0x{bytes[valid]:x2} is not valid UTF-8. Save the file as UTF-8.", path, LineOf(bytes, valid));
            yield break;
        }

        CsvReaderOptions options = new()
        {
            Separator = separator,
            TrackLineNumbers = true,
            TrimWhitespace = false,
            MalformedData = CsvMalformedDataHandling.Skip,
            FieldCountMismatch = CsvFieldCountHandling.Skip,
            OnMalformedRecord = record => findings.Reject(
                "LB0112",
                record.Reason == CsvMalformedReason.FieldCountMismatch
                    ? "The row has another number of fields than the header. Put a field that holds the separator, a quote or a line break in quotes."
                    : $"The quotes of the row are not closed or stand inside a field that does not begin with one ({record.Reason}). Put the whole field in quotes and double those inside.",
                path,
                (int)record.LineNumber),
        };
        using CsvReader reader = CsvReader.Create(bytes, options);
        while (reader.Read())
        {
            JsonObject fields = [];
            for (int i = 0; i < reader.Headers.Count; i++)
                fields[reader.Headers[i].Trim()] = reader.GetString(i);
            yield return new DataRow(fields, (int)reader.LineNumber);
        }
    }
}
