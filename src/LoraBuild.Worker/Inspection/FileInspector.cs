// What a file or directory holds, as data; the verb prints it as a table or as JSON.
using System.Collections;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Worker.Inspection;

/// <summary>Knows safetensors files, token files, GGUF files, model directories and adapter directories.</summary>
internal static class FileInspector
{
    private static readonly byte[] GgufMagic = "GGUF"u8.ToArray();

    /// <returns><c>kind</c>, <c>path</c>, <c>properties</c>, <c>tensors</c> (name, dtype, shape, bytes), <c>types</c> (dtype, tensors, parameters, bytes), <c>parameters</c>, <c>bytes</c>.</returns>
    /// <exception cref="DiagnosticException">LB0824: nothing that is known; LB04xx: damaged.</exception>
    public static JsonObject Inspect(string path)
    {
        if (Directory.Exists(path))
        {
            if (File.Exists(Path.Combine(path, PeftAdapterConfig.FileName)))
                return Adapter(path);
            if (File.Exists(Path.Combine(path, "config.json")))
                return Model(path);
            throw Unknown(path, "the directory holds neither config.json (a model) nor adapter_config.json (an adapter)");
        }

        if (!File.Exists(path))
            throw new DiagnosticException("LB0823", "there is no such file or directory.", path);
        if (IsGguf(path))
            return Gguf(path);
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            return Safetensors(path);
        throw Unknown(path, new FileInfo(path).Length == 0 ? "it is empty" : IsPickle(path) ? "it looks like a pickle of PyTorch's, which can run code and is never opened" : "it is neither a GGUF file nor named .safetensors");
    }

    private static DiagnosticException Unknown(string path, string why) =>
        new("LB0824", $"inspect does not know what this is: {why}. Known are safetensors, GGUF and token files, model directories and adapter directories.", path);

    private static bool IsGguf(string path) => Start(path).SequenceEqual(GgufMagic);

    /// <summary>torch.save writes a zip file; before PyTorch 1.6 it wrote a pickle of protocol 2, which begins 80 02.</summary>
    private static bool IsPickle(string path) =>
        Path.GetExtension(path) is ".bin" or ".pt" or ".pth" or ".pkl" or ".ckpt" && Start(path) is [(byte)'P', (byte)'K', 3, 4] or [0x80, >= 2 and <= 5, ..];

    /// <summary>The first four bytes, or as many as there are.</summary>
    private static byte[] Start(string path)
    {
        using FileStream stream = File.OpenRead(path);
        byte[] start = new byte[4];
        return start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
    }

    private static JsonObject Safetensors(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        bool hasTokens = file.Tensors.ContainsKey("input_ids") && file.Tensors.ContainsKey("labels") && file.Tensors.ContainsKey("offsets");
        JsonObject properties = [];
        if (hasTokens)
        {
            TokenDocuments documents = TokensFile.Read(path);
            properties["documents"] = documents.Count;
            properties["tokens"] = documents.InputIds.LongLength;
            properties["target_tokens"] = documents.Labels.LongCount(label => label != TokensFile.IgnoredLabel);
        }

        foreach ((string name, string value) in file.Metadata)
            properties[name] = value;
        return Describe(hasTokens ? "tokens" : "safetensors", path, properties, file.Tensors.Values);
    }

    private static JsonObject Model(string directory)
    {
        JsonObject properties = Configuration(directory);
        if (!ModelFiles.Exist(directory))
            return Describe("model", directory, properties, []);
        using ModelFiles files = ModelFiles.Open(directory);
        properties["files"] = new JsonArray([.. files.Files.Select(f => (JsonNode)Path.GetFileName(f.Path))]);
        return Describe("model", directory, properties, files.Tensors.Values);
    }

    /// <summary>Of a family that is not known, its name: its tensors can be looked at all the same.</summary>
    private static JsonObject Configuration(string directory)
    {
        JsonObject raw = JsonFile.ReadObject(Path.Combine(directory, "config.json"), "LB0410", "a model directory has one", JsonFile.ConfigBytes);
        if (raw["text_config"] is null && raw["model_type"] is JsonValue type && type.TryGetValue(out string? name) && name != "gemma3" && ModelFamilies.Of(name) is null)
            return new JsonObject { ["model_type"] = name };
        ModelConfig config = ModelConfig.Load(directory);
        return new JsonObject
        {
            ["model_type"] = config.FileModelType,
            ["vocab_size"] = config.VocabSize,
            ["hidden_size"] = config.HiddenSize,
            ["intermediate_size"] = config.IntermediateSize,
            ["num_hidden_layers"] = config.NumHiddenLayers,
            ["num_attention_heads"] = config.NumAttentionHeads,
            ["num_key_value_heads"] = config.NumKeyValueHeads,
            ["head_dim"] = config.HeadDim,
            ["tie_word_embeddings"] = config.TieWordEmbeddings,
            ["max_position_embeddings"] = config.MaxPositionEmbeddings,
        };
    }

    private static JsonObject Adapter(string directory)
    {
        using PeftAdapterFiles files = PeftAdapterFiles.Read(directory);
        PeftAdapterConfig config = files.Config;
        JsonObject properties = new()
        {
            ["base_model"] = config.BaseModelNameOrPath,
            ["r"] = config.R,
            ["lora_alpha"] = config.LoraAlpha,
            ["lora_dropout"] = config.LoraDropout,
            ["target_modules"] = config.TargetModulesPattern is { } pattern ? pattern : new JsonArray([.. config.TargetModules.Select(m => (JsonNode)m)]),
            ["modules"] = files.Pairs.Count,
        };
        return Describe("adapter", directory, properties, files.Weights.Tensors.Values);
    }

    private static JsonObject Gguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        JsonObject properties = new() { ["version"] = file.Version, ["alignment"] = file.Alignment };
        foreach (GgufKey key in file.Keys)
            properties[key.Name] = Value(key.Value);
        JsonArray tensors = [];
        foreach (GgufTensor tensor in file.Tensors)
        {
            tensors.Add(new JsonObject
            {
                ["name"] = tensor.Name,
                ["dtype"] = tensor.Type.ToString().ToLowerInvariant(),
                ["shape"] = new JsonArray([.. tensor.Dimensions.Reverse().Select(d => (JsonNode)d)]),
                ["bytes"] = tensor.ByteLength,
            });
        }

        return Complete("gguf", path, properties, tensors, file.Tensors.Sum(t => t.ElementCount), file.Tensors.Sum(t => t.ByteLength));
    }

    private static JsonNode? Value(object value) => value switch
    {
        string text => text,
        bool flag => flag,
        float single when float.IsFinite(single) => single,
        double number when double.IsFinite(number) => number,
        float or double => string.Create(CultureInfo.InvariantCulture, $"{value}"), // JSON has no word for what is not a number
        IEnumerable list => new JsonArray([.. list.Cast<object>().Select(Value)]),
        IConvertible number => JsonNode.Parse(Convert.ToString(number, CultureInfo.InvariantCulture)!),
        _ => value.ToString(),
    };

    private static JsonObject Describe(string kind, string path, JsonObject properties, IEnumerable<TensorEntry> entries)
    {
        JsonArray tensors = [];
        long parameters = 0;
        long bytes = 0;
        foreach (TensorEntry entry in entries.OrderBy(e => e.Name, StringComparer.Ordinal))
        {
            parameters += entry.ElementCount;
            bytes += entry.ByteLength;
            tensors.Add(new JsonObject
            {
                ["name"] = entry.Name,
                ["dtype"] = entry.Dtype.SafetensorsName(),
                ["shape"] = new JsonArray([.. entry.Shape.Select(d => (JsonNode)d)]),
                ["bytes"] = entry.ByteLength,
            });
        }

        return Complete(kind, path, properties, tensors, parameters, bytes);
    }

    private static JsonObject Complete(string kind, string path, JsonObject properties, JsonArray tensors, long parameters, long bytes) => new()
    {
        ["kind"] = kind,
        ["path"] = path,
        ["properties"] = properties,
        ["parameters"] = parameters,
        ["bytes"] = bytes,
        ["types"] = Types(tensors),
        ["tensors"] = tensors,
    };

    /// <summary>Totals of each type, the one that fills most first.</summary>
    private static JsonArray Types(JsonArray tensors) => new([.. tensors
        .GroupBy(t => (string)t!["dtype"]!)
        .Select(g => (Name: g.Key, Count: g.LongCount(), Elements: g.Sum(t => t!["shape"]!.AsArray().Aggregate(1L, (product, axis) => product * (long)axis!)), Bytes: g.Sum(t => (long)t!["bytes"]!)))
        .OrderByDescending(t => t.Bytes).ThenBy(t => t.Name, StringComparer.Ordinal)
        .Select(t => (JsonNode)new JsonObject { ["dtype"] = t.Name, ["tensors"] = t.Count, ["parameters"] = t.Elements, ["bytes"] = t.Bytes })]);
}
