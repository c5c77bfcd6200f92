// The comparison with the golden files notices every wrong conversion of mutations.json that changes what llama.cpp computes.
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class GgufMutationTests
{
    /// <summary>Judged by llama.cpp's tokenizer alone: names and scores are free in the metadata.</summary>
    private static readonly string[] Behavioural = ["general.name without 'phi-3' (no rstrip of special tokens)", "scores all -1000 (no ranks)"];

    public static TheoryData<string, string> Mutations()
    {
        TheoryData<string, string> mutations = [];
        foreach (JsonNode? one in JsonNode.Parse(File.ReadAllText(GgufModels.Folder("mutations.json")))!.AsArray())
        {
            if (one!["failing_sections"]!.AsArray().Count > 0 && !Behavioural.Contains((string)one["mutation"]!))
                mutations.Add((string)one["model"]!, (string)one["mutation"]!);
        }

        return mutations;
    }

    [Theory]
    [MemberData(nameof(Mutations))]
    public void A_wrong_conversion_is_noticed(string name, string mutation)
    {
        using TemporaryDirectory model = GgufModels.Materialise(name);
        string path = Path.Combine(model.Path, "x.gguf");
        GgufMix mix = GgufMix.Find("f32")!;
        GgufExporter.Export(model.Path, mix, path);
        using GgufFile file = GgufFile.Open(path);
        List<GgufKey> keys = [.. file.Keys];
        List<StoredTensor> tensors = GgufComparison.TensorsOf(file);
        Check(name, keys, tensors, mix);
        Apply(mutation, keys, tensors, file);
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Check(name, keys, tensors, mix));
    }

    [Fact]
    public void The_name_of_a_Phi_3_model_always_carries_it_and_scores_follow_the_merges()
    {
        using TemporaryDirectory phi = GgufModels.Materialise("phi3");
        using TemporaryDirectory llama = GgufModels.Materialise("llama-spm-json");
        GgufExporter.Export(phi.Path, GgufMix.Find("f16")!, Path.Combine(phi.Path, "x.gguf"), new GgufExportOptions { Name = "helper" });
        GgufExporter.Export(llama.Path, GgufMix.Find("f16")!, Path.Combine(llama.Path, "x.gguf"));
        using GgufFile phiFile = GgufFile.Open(Path.Combine(phi.Path, "x.gguf"));
        using GgufFile llamaFile = GgufFile.Open(Path.Combine(llama.Path, "x.gguf"));
        Assert.Equal("helper Phi-3", phiFile.Value("general.name"));
        JsonArray merges = JsonNode.Parse(File.ReadAllText(Path.Combine(llama.Path, "tokenizer.json")))!["model"]!["merges"]!.AsArray();
        List<string> tokens = [.. (string[])llamaFile.Value("tokenizer.ggml.tokens")!];
        float[] scores = (float[])llamaFile.Value("tokenizer.ggml.scores")!;
        float last = float.PositiveInfinity;
        foreach (string piece in merges.Select(Piece).Distinct())
        {
            Assert.True(scores[tokens.IndexOf(piece)] < last, piece);
            last = scores[tokens.IndexOf(piece)];
        }
    }

    private static string Piece(JsonNode? merge) => merge is JsonArray pair ? $"{pair[0]}{pair[1]}" : ((string)merge!).Replace(" ", "", StringComparison.Ordinal);

    private static void Check(string name, List<GgufKey> keys, List<StoredTensor> tensors, GgufMix mix)
    {
        GgufComparison.CheckMetadata(name, keys);
        GgufComparison.CheckTensors(name, tensors, mix);
    }

    private static void Apply(string mutation, List<GgufKey> keys, List<StoredTensor> tensors, GgufFile file)
    {
        string arch = (string)file.Value("general.architecture")!;
        void Without(params string[] suffixes)
        {
            foreach (string suffix in suffixes)
                Assert.Equal(1, keys.RemoveAll(k => k.Name.EndsWith(suffix, StringComparison.Ordinal)));
        }

        void Set(string suffix, object value)
        {
            int index = keys.FindIndex(k => k.Name.EndsWith(suffix, StringComparison.Ordinal));
            keys[index] = keys[index] with { Value = value };
        }

        void Remove(Predicate<StoredTensor> which) => Assert.NotEqual(0, tensors.RemoveAll(which));
        void Change(Predicate<StoredTensor> which, Func<StoredTensor, byte[]> change)
        {
            for (int i = 0; i < tensors.Count; i++)
            {
                if (which(tensors[i]))
                    tensors[i] = tensors[i] with { Bytes = change(tensors[i]) };
            }
        }

        switch (mutation)
        {
            case "q/k rows not permuted" or "q/k rows permuted as for llama":
                Change(t => t.Name.Contains("attn_q.", StringComparison.Ordinal) || t.Name.Contains("attn_k.", StringComparison.Ordinal), SwapRows);
                break;
            case "gate/up halves swapped":
                Change(t => t.Name.Contains("ffn_up", StringComparison.Ordinal), t => [.. t.Bytes[(t.Bytes.Length / 2)..], .. t.Bytes[..(t.Bytes.Length / 2)]]);
                break;
            case "norm weights without +1":
                Change(t => t.Name.EndsWith("norm.weight", StringComparison.Ordinal), MinusOne);
                break;
            case "attention biases missing":
                Remove(t => t.Name.EndsWith(".bias", StringComparison.Ordinal));
                break;
            case "long/short factors swapped":
                StoredTensor longFactors = tensors.Find(t => t.Name == "rope_factors_long.weight")!, shortFactors = tensors.Find(t => t.Name == "rope_factors_short.weight")!;
                Change(t => t == longFactors || t == shortFactors, t => t == longFactors ? shortFactors.Bytes : longFactors.Bytes);
                break;
            case "rope_freqs.weight missing":
                Remove(t => t.Name == "rope_freqs.weight");
                break;
            case "output.weight missing although untied":
                Remove(t => t.Name == "output.weight");
                break;
            case "added tokens typed NORMAL" or "user-defined tokens typed NORMAL":
                int wrong = mutation.StartsWith("user", StringComparison.Ordinal) ? 4 : 3;
                Set("token_type", Array.ConvertAll((int[])file.Value("tokenizer.ggml.token_type")!, t => t >= wrong && t <= 4 ? 1 : t));
                break;
            case "attention.key_length/value_length missing":
                Without("attention.key_length", "attention.value_length");
                break;
            case "rope.freq_base = local base":
                Set($"{arch}.rope.freq_base", file.Value($"{arch}.rope.freq_base_swa")!);
                break;
            case "add_space_prefix = false":
                Set("add_space_prefix", false);
                break;
            case "sliding_window key missing":
                Without("attention.sliding_window");
                break;
            default:
                string[] words = mutation.Split(' ');
                if (words is [string key, "=", string value, ..])
                    Set(key, value);
                else if (words is [string missing, "missing", ..])
                    Without(missing);
                else
                    Assert.Fail($"mutations.json names '{mutation}', which is not made here");
                break;
        }
    }

    private static byte[] SwapRows(StoredTensor tensor)
    {
        int row = (int)(tensor.Bytes.Length / (tensor.Dimensions.Length > 1 ? tensor.Dimensions[1] : tensor.Dimensions[0]));
        return [.. tensor.Bytes[row..(2 * row)], .. tensor.Bytes[..row], .. tensor.Bytes[(2 * row)..]];
    }

    private static byte[] MinusOne(StoredTensor tensor)
    {
        float[] values = MemoryMarshal.Cast<byte, float>(tensor.Bytes).ToArray();
        for (int i = 0; i < values.Length; i++)
            values[i] -= 1;
        return MemoryMarshal.AsBytes<float>(values).ToArray();
    }
}
