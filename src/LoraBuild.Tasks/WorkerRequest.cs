// What a task asks of the worker: a verb and its options, as the file that `lorabuild --request FILE` reads.
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LoraBuild.Tasks;

/// <summary><c>{"verb": "train", "options": {"recipe": "…", "set": ["a=b", …], …}}</c>; each option is the command-line option of the same name.</summary>
public sealed class WorkerRequest(string verb)
{
    private readonly SortedDictionary<string, List<string>> options = new(StringComparer.Ordinal);

    public string Verb { get; } = verb;

    public IReadOnlyDictionary<string, List<string>> Options => options;

    /// <summary>Adds a value; an option that is added twice becomes a list in that order.</summary>
    public void Add(string option, string value)
    {
        if (!options.TryGetValue(option, out List<string>? values))
            options.Add(option, values = []);
        values.Add(value);
    }

    /// <summary>Writes through a temporary file in the same folder, so that a killed build leaves no half request.</summary>
    public void Write(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        using (FileStream stream = File.Create(temporary))
        {
            // The encoder that leaves paths with letters beyond ASCII readable: the file is not HTML.
            using Utf8JsonWriter json = new(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
            json.WriteStartObject();
            json.WriteString("verb", Verb);
            json.WriteStartObject("options");
            foreach ((string option, List<string> values) in options)
            {
                json.WriteStartArray(option);
                values.ForEach(json.WriteStringValue);
                json.WriteEndArray();
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        File.Move(temporary, path, overwrite: true);
    }
}
