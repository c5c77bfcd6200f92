// A request file as a command line: what a task asks for runs the same code as what a person types.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker.Hosting;

/// <summary><c>{"verb": "train", "options": {"recipe": ["…"], "set": ["a=b", "c=d"], "no-resume": ["true"]}}</c>; a value may also stand without the list.</summary>
public static class RequestFile
{
    private const string Option = "--request";

    /// <summary><c>--request FILE REST…</c> → the verb, its options and the rest; anything else unchanged.</summary>
    /// <exception cref="DiagnosticException">LB0821: the file is missing or has another form.</exception>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> args, WorkerHost host)
    {
        if (args.Count == 0 || args[0] != Option)
            return args;
        if (args.Count < 2)
            throw new DiagnosticException("LB0821", $"{Option} needs a file.");
        return [.. Read(host.Absolute(args[1])), .. args.Skip(2)];
    }

    private static List<string> Read(string file)
    {
        if (!File.Exists(file))
            throw new DiagnosticException("LB0821", "the request file does not exist.", file);
        try
        {
            JsonNode? request = JsonNode.Parse(File.ReadAllText(file));
            List<string> args = [request!["verb"]!.GetValue<string>()];
            foreach ((string name, JsonNode? node) in request["options"]!.AsObject())
            {
                foreach (JsonNode? value in node is JsonArray list ? list : [node!.DeepClone()])
                    args.Add($"--{name}={Text(value!)}");
            }

            return args;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException)
        {
            throw new DiagnosticException("LB0821", $"the request is not of the form {{\"verb\": \"…\", \"options\": {{\"name\": \"value\"}}}}: {e.Message}", file);
        }
    }

    private static string Text(JsonNode value) => value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : value.ToJsonString();
}
