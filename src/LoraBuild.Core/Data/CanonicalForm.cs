// A document as one line of dataset/*.jsonl: keys in a fixed order, the same bytes for the same content.
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Data;

public static class CanonicalForm
{
    internal const string Chosen = "chosen";
    internal const string RejectedHalf = "rejected";

    // Korean stays readable; the file is no HTML.
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The whole line, without its end; of a preference pair two lines, the better answer first.</summary>
    public static string ToLine(Conversation document)
    {
        if (document.Rejected is { } rejected)
        {
            string first = ToLine(document with { Rejected = null, Half = Chosen });
            return first + "\n" + ToLine(rejected with { Half = RejectedHalf, SourceFile = document.SourceFile, SourceLine = document.SourceLine });
        }

        JsonObject line = Content(document);
        if (document.Half is not null)
            line["pair"] = document.Half;
        line["source"] = document.SourceFile;
        line["line"] = document.SourceLine;
        return line.ToJsonString(Readable);
    }

    /// <summary>SHA-256 over the content alone; where it comes from does not matter.</summary>
    public static byte[] Hash(Conversation document) => SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(
        document.Rejected is { } rejected ? new JsonObject { [Chosen] = Content(document), [RejectedHalf] = Content(rejected) } : Content(document), Readable));

    public static Conversation FromLine(string line)
    {
        JsonObject row = JsonNode.Parse(line)!.AsObject();
        return new Conversation
        {
            Messages = row["messages"] is JsonArray messages ? [.. messages.Select(m => ConversationReader.Message(m!.AsObject()))] : [],
            Tools = row["tools"]?.DeepClone().AsArray(),
            Prompt = (string?)row["prompt"],
            Completion = (string?)row["completion"],
            Text = (string?)row["text"],
            Half = (string?)row["pair"],
            SourceFile = (string?)row["source"] ?? "",
            SourceLine = (int?)row["line"] ?? 0,
        };
    }

    private static JsonObject Content(Conversation document)
    {
        JsonObject content = [];
        if (document.Messages.Count > 0)
        {
            content["messages"] = new JsonArray([.. document.Messages.Select(m =>
            {
                JsonObject message = (JsonObject)m.Raw.DeepClone();
                if (m.Train is bool train)
                    message["train"] = train;
                return message;
            })]);
        }

        if (document.Tools is not null)
            content["tools"] = document.Tools.DeepClone();
        if (document.Completion is not null)
        {
            content["prompt"] = document.Prompt ?? "";
            content["completion"] = document.Completion;
        }

        if (document.Text is not null)
            content["text"] = document.Text;
        return content;
    }
}
