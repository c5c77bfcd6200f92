// The reference run of AdamW with 8-bit states, see golden/adam8/README.md.
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;

namespace LoraBuild.Engine.Tests.Training.Optimizers;

internal static class Adam8Golden
{
    public static IReadOnlyList<JsonNode> Cases { get; } = [.. JsonNode.Parse(File.ReadAllText(PathOf("manifest.json")))!.AsArray().Select(n => n!)];

    public static JsonNode Case(string name) => Cases.Single(c => (string?)c["name"] == name);

    public static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(Bytes(file)).ToArray();

    public static byte[] Bytes(string file) => File.ReadAllBytes(PathOf(file));

    private static string PathOf(string file) => Path.Combine(Golden.Root, "adam8", file);
}
