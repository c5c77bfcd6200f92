// Divides tensors into files as transformers does: in the order of the model's modules, a new file when the next would be too large.
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Merging;

public static partial class ShardLayout
{
    /// <summary>Modules of a decoder layer in the order of its state dict.</summary>
    private static readonly string[] LayerModules =
    [
        "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "self_attn.qkv_proj", "self_attn.q_norm", "self_attn.k_norm",
        "mlp.gate_proj", "mlp.up_proj", "mlp.gate_up_proj", "mlp.down_proj",
        "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm",
    ];

    /// <summary>Writes <c>model.safetensors</c>, or shards with their index when there is more than one; returns the number of files.</summary>
    /// <param name="maxShardSize">Bytes of tensor data in one file.</param>
    public static int Write(string directory, IReadOnlyList<TensorToWrite> tensors, long maxShardSize)
    {
        Dictionary<string, string> metadata = new() { ["format"] = "pt" };
        List<List<TensorToWrite>> shards = Divide(tensors, maxShardSize);
        if (shards.Count == 1)
        {
            SafetensorsWriter.Write(Path.Combine(directory, ModelFiles.SingleFileName), shards[0], metadata);
            return 1;
        }

        SortedDictionary<string, string> fileOfTensor = new(StringComparer.Ordinal);
        for (int i = 0; i < shards.Count; i++)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"model-{i + 1:d5}-of-{shards.Count:d5}.safetensors");
            SafetensorsWriter.Write(Path.Combine(directory, name), shards[i], metadata);
            foreach (TensorToWrite tensor in shards[i])
                fileOfTensor.Add(tensor.Name, name);
        }

        JsonObject index = new()
        {
            ["metadata"] = new JsonObject
            {
                ["total_parameters"] = tensors.Sum(t => t.ByteLength / t.Dtype.ByteSize()),
                ["total_size"] = tensors.Sum(t => t.ByteLength),
            },
            ["weight_map"] = new JsonObject(fileOfTensor.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)p.Value))),
        };
        AtomicFile.WriteAllText(Path.Combine(directory, ModelFiles.IndexFileName), index.ToJsonString(JsonFile.Indented) + "\n");
        return shards.Count;
    }

    private static List<List<TensorToWrite>> Divide(IReadOnlyList<TensorToWrite> tensors, long maxShardSize)
    {
        List<List<TensorToWrite>> shards = [];
        List<TensorToWrite> current = [];
        long size = 0;
        foreach (TensorToWrite tensor in tensors.OrderBy(t => ModuleOrder(t.Name)).ThenBy(t => t.Name, StringComparer.Ordinal))
        {
            if (tensor.ByteLength > maxShardSize) // has a file of its own; the one being filled goes on after it
            {
                shards.Add([tensor]);
                continue;
            }

            if (size + tensor.ByteLength > maxShardSize)
            {
                shards.Add(current);
                current = [];
                size = 0;
            }

            current.Add(tensor);
            size += tensor.ByteLength;
        }

        if (current.Count > 0 || shards.Count == 0)
            shards.Add(current);
        return shards;
    }

    private static (int Part, int Layer, int Module, int Kind) ModuleOrder(string name)
    {
        int kind = name.EndsWith(".bias", StringComparison.Ordinal) ? 1 : 0;
        Match layer = LayerNumber().Match(name);
        if (layer.Success && int.TryParse(layer.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            int module = Array.FindIndex(LayerModules, m => layer.Groups[2].ValueSpan.StartsWith(m, StringComparison.Ordinal));
            return (2, number, module < 0 ? LayerModules.Length : module, kind);
        }

        int part = name switch
        {
            _ when name.Contains("vision", StringComparison.Ordinal) || name.Contains("multi_modal", StringComparison.Ordinal) => 0,
            _ when name.Contains("embed_tokens", StringComparison.Ordinal) => 1,
            _ when name.Contains("lm_head", StringComparison.Ordinal) => 4,
            _ => 3,
        };
        return (part, 0, 0, kind);
    }

    [GeneratedRegex(@"^(?:model\.|language_model\.)+layers\.(\d+)\.(.*)$")]
    private static partial Regex LayerNumber();
}
