// `inspect`: what a safetensors, token or GGUF file, a model or an adapter directory holds.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Worker.Hosting;
using LoraBuild.Worker.Inspection;
using Spectre.Console;

namespace LoraBuild.Worker.Verbs;

internal static class InspectVerb
{
    private const int LongestValue = 80;

    private static readonly Argument<string> Target = new("PATH") { Description = "A file or a directory." };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("inspect", "Shows what a safetensors, token or GGUF file, a model or an adapter directory holds.") { Target, SharedOptions.Json };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        JsonObject found = FileInspector.Inspect(context.Host.Absolute(context.Value(Target)!));
        using StreamWriter output = context.Host.OpenOutput();
        if (context.Value(SharedOptions.Json))
        {
            output.WriteLine(found.ToJsonString(JsonLines.Options));
            return;
        }

        IAnsiConsole console = TextTables.On(output, context.Host);
        console.WriteLine($"{found["kind"]} {found["path"]}");
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(long)found["parameters"]!:N0} elements, {(long)found["bytes"]!:N0} bytes"));
        Table properties = TextTables.Create("property", "value");
        foreach ((string name, JsonNode? value) in found["properties"]!.AsObject())
            properties.AddRow(new Text(name), new Text(Shorten(value)));
        if (properties.Rows.Count > 0)
            console.Write(properties);
        Table types = TextTables.Create("type", "tensors", "elements", "bytes");
        foreach (JsonNode? type in found["types"]!.AsArray())
            types.AddRow(new Text((string)type!["dtype"]!), Number(type["tensors"]), Number(type["parameters"]), Number(type["bytes"]));
        if (types.Rows.Count > 0)
            console.Write(types);
        Table tensors = TextTables.Create("tensor", "type", "shape", "bytes");
        foreach (JsonNode? tensor in found["tensors"]!.AsArray())
        {
            tensors.AddRow(
                new Text((string)tensor!["name"]!),
                new Text((string)tensor["dtype"]!),
                new Text($"[{string.Join(", ", tensor["shape"]!.AsArray())}]"),
                Number(tensor["bytes"]));
        }

        if (tensors.Rows.Count > 0)
            console.Write(tensors);
    }

    private static Text Number(JsonNode? value) => new(((long)value!).ToString("N0", CultureInfo.InvariantCulture));

    private static string Shorten(JsonNode? value)
    {
        string text = value is JsonValue scalar && scalar.TryGetValue(out string? words) ? words : value?.ToJsonString(JsonLines.Options) ?? "";
        text = text.ReplaceLineEndings(" ");
        if (text.Length <= LongestValue)
            return text;
        string count = value is JsonArray list ? $" ({list.Count} values)" : "";
        return text[..LongestValue] + "…" + count;
    }
}
