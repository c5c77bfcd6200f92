// A file of JSON lines that belong to steps: it goes on where a checkpoint stands, and holds no line twice.
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Training;

public sealed class StepLog : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }; // a person reads them: ü stays ü
    private readonly string path;
    private FileStream stream;

    private StepLog(string path, Func<JsonObject, bool> isKept)
    {
        this.path = path;
        stream = Reopen(path, isKept);
    }

    /// <summary>Opens the log; lines that are not kept, and a line that a kill cut off, are dropped.</summary>
    public static StepLog Open(string path, Func<JsonObject, bool> isKept) => new(path, isKept);

    /// <summary>Drops lines: the run went back.</summary>
    public void Keep(Func<JsonObject, bool> isKept)
    {
        stream.Dispose();
        stream = Reopen(path, isKept);
    }

    /// <summary>Whoever looks on sees the line at once; on the disk it is after <see cref="FlushToDisk"/>.</summary>
    public void Write(JsonObject line)
    {
        stream.Write(Utf8.GetBytes(line.ToJsonString(Json) + "\n"));
        stream.Flush();
    }

    public void FlushToDisk() => stream.Flush(flushToDisk: true);

    public void Dispose() => stream.Dispose();

    private static FileStream Reopen(string path, Func<JsonObject, bool> isKept)
    {
        string[] kept = File.Exists(path) ? [.. File.ReadLines(path).Where(line => Parse(line) is { } values && isKept(values))] : [];
        AtomicFile.WriteLines(path, writer =>
        {
            foreach (string line in kept)
                writer.WriteLine(line);
        });
        return new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read);
    }

    private static JsonObject? Parse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null; // a line that a kill cut off
        }
    }
}
