// Compares an exported file with the golden description of its model: every metadata key, every tensor's name, shape, type and bytes.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Engine.Tests.Export;

/// <param name="Dimensions">Fastest axis first.</param>
internal sealed record StoredTensor(string Name, GgmlType Type, long[] Dimensions, byte[] Bytes);

internal static class GgufComparison
{
    /// <summary>Judged by llama.cpp's behaviour or free: the name, what this export chooses, sentencepiece scores.</summary>
    private static readonly string[] Free = ["general.name", "general.file_type", "tokenizer.ggml.scores"];

    public static List<StoredTensor> TensorsOf(GgufFile file) =>
        [.. file.Tensors.Select(t => new StoredTensor(t.Name, t.Type, t.Dimensions, file.GetBytes(t, 0, (int)t.ByteLength).ToArray()))];

    public static void CheckMetadata(string name, IReadOnlyList<GgufKey> keys)
    {
        foreach (JsonNode? entry in GgufModels.Json(name, "expected-metadata.json")["keys"]!.AsArray())
        {
            string key = (string)entry!["key"]!;
            if (Free.Contains(key))
            {
                Assert.Contains(keys, k => k.Name == key);
                continue;
            }

            GgufKey? got = keys.FirstOrDefault(k => k.Name == key);
            Assert.True(got is not null, $"{key} is missing");
            string expectedType = (string)entry["type"]!;
            Assert.Equal(expectedType, TypeName(got));
            if (got.Value is Array values)
                Assert.Equal(entry["value"]!.AsArray().Select(v => v!.ToString()), values.Cast<object>().Select(v => v.ToString()!));
            else if (got.Value is float real)
                Assert.Equal((float)entry["value"]!, real);
            else
                Assert.Equal(entry["value"]!.ToString(), got.Value is bool flag ? (flag ? "true" : "false") : got.Value.ToString());
        }

        string[] expectedKeys = [.. GgufModels.Json(name, "expected-metadata.json")["keys"]!.AsArray().Select(k => (string)k!["key"]!)];
        Assert.Empty(keys.Select(k => k.Name).Except(expectedKeys));
    }

    /// <summary>Names, shapes and types are those of llama-quantize; data are equal where the format leaves no choice.</summary>
    public static void CheckTensors(string name, IReadOnlyList<StoredTensor> tensors, GgufMix mix)
    {
        JsonArray expected = GgufModels.Json(name, "expected-tensors.json")["tensors"]!.AsArray();
        JsonNode? quantised = GgufModels.Json(name, "llama-quantize-types.json")[mix.Name.ToUpperInvariant()]; // not there for f32, f16, bf16
        Dictionary<string, string> others = [];
        foreach ((string type, JsonNode? names) in quantised?["other"]?.AsObject() ?? [])
        {
            foreach (JsonNode? tensor in names!.AsArray())
                others.Add((string)tensor!, type);
        }

        Assert.Equal(expected.Select(t => (string)t!["name"]!).Order(StringComparer.Ordinal), tensors.Select(t => t.Name).Order(StringComparer.Ordinal));
        foreach (JsonNode? one in expected)
        {
            StoredTensor tensor = tensors.First(t => t.Name == (string)one!["name"]!);
            Assert.Equal(one!["ne"]!.AsArray().Select(n => (long)n!), tensor.Dimensions);
            string type = (bool)one["always_f32"]! ? "F32" : others.GetValueOrDefault(tensor.Name, (string?)quantised?["rest"] ?? mix.Main.ToString());
            Assert.Equal(type, tensor.Type.ToString());
            if (one["sha256"]![type] is JsonNode hash && tensor.Name != "rope_freqs.weight") // those are compared by value in Rope_factors_equal_the_reference
                Assert.Equal((string)hash!, GgufModels.Sha256(tensor.Bytes));
            else
                Assert.True(GgmlTypes.IsK(tensor.Type) || tensor.Name == "rope_freqs.weight"); // their quality is compared in KBlocksTests
        }

        if (quantised is not null)
            Assert.Equal((uint)quantised["file_type"]!, mix.FileType);
    }

    private static string TypeName(GgufKey key) => key.Type switch
    {
        GgufValueType.String => "str",
        GgufValueType.UInt32 => "u32",
        GgufValueType.Float32 => "f32",
        GgufValueType.Bool => "bool",
        GgufValueType.Array => "arr:" + TypeName(new GgufKey(key.Name, key.ElementType!.Value, 0)),
        GgufValueType.Int32 => "i32",
        _ => key.Type.ToString(),
    };
}
