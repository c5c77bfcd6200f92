// Finds our own reference data of single tokenizer parts; golden/tokenizer-parts/README.md describes every file.
using System.Text.Json;

namespace LoraBuild.Core.Tests.Tokenizers;

internal static class GoldenParts
{
    public static string Root { get; } = Path.Combine(Path.GetDirectoryName(TokenizerGolden.Root)!, "tokenizer-parts");

    public static IEnumerable<JsonElement> Lines(string file) => File.ReadLines(Path.Combine(Root, file)).Select(l => JsonElement.Parse(l));
}
