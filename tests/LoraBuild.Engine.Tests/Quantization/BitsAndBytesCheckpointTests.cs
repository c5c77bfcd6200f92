// Directories that transformers and bitsandbytes saved, against what they compute from them and against what is quantised here (golden/bitsandbytes/README.md).
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Quantization;

public sealed class BitsAndBytesCheckpointTests
{
    [Theory]
    [InlineData("nf4-double")]
    [InlineData("nf4-bf16-storage")]
    [InlineData("int8")]
    public void What_transformers_saved_computes_what_transformers_computes(string name)
    {
        using SafetensorsFile golden = SafetensorsFile.Open(PathOf("logits.safetensors"));
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        using CausalLM model = CausalLM.Load(PathOf(name), new LoadOptions());
        Assert.All(model.LinearModules.Where(l => l != model.Head), l => Assert.IsType<QuantizedWeight>(l.BaseMatrix.Frozen));
        int[] ids = [.. golden.ReadInt64("input_ids").Select(i => (int)i)];
        using PackedBatch batch = PackedBatch.FromDocuments([ids], model.Device);
        GoldenTensors.AssertClose(golden.ReadFloat32(name), TensorTypes.ToFloat32Array(model.Logits(model.HiddenStates(batch))), 1e-5, "logits"); // fp32, two layers
    }

    [Theory]
    [InlineData("nf4-double", WeightCode.Nf4, true)]
    [InlineData("nf4-bf16-storage", WeightCode.Nf4, false)]
    [InlineData("int8", WeightCode.Int8, false)]
    public void What_is_quantised_here_is_what_transformers_saves(string name, WeightCode code, bool isDouble)
    {
        using TemporaryDirectory cache = new();
        QuantizationOptions options = new() { Code = code, HasDoubleQuantization = isDouble, Cache = new QuantizedCache(cache.Path, "base") };
        CausalLM.Load(PathOf("base"), new LoadOptions { Quantization = options }).Dispose();
        using ModelFiles made = ModelFiles.Open(Assert.Single(Directory.GetDirectories(cache.Path)));
        using ModelFiles saved = ModelFiles.Open(PathOf(name));
        using ModelFiles plain = ModelFiles.Open(PathOf("base"));
        Assert.Equal(saved.Tensors.Keys.Where(n => !plain.Tensors.ContainsKey(n) || made.Tensors.ContainsKey(n)).Order(StringComparer.Ordinal), made.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (string tensor in made.Tensors.Keys)
            AssertSame(tensor, made, saved);
    }

    private static void AssertSame(string name, ModelFiles made, ModelFiles saved)
    {
        byte[] ours = made.FileOf(name).GetBytes(name).ToArray(), theirs = saved.FileOf(name).GetBytes(name).ToArray();
        if (name.Contains(".quant_state.", StringComparison.Ordinal))
        {
            AssertSameState(JsonNode.Parse(ours)!.AsObject(), JsonNode.Parse(theirs)!.AsObject());
        }
        else if (name.EndsWith(".nested_absmax", StringComparison.Ordinal))
        {
            GoldenTensors.AssertClose(saved.ReadFloat32(name), made.ReadFloat32(name), MeanTolerance, name);
        }
        else
        {
            Assert.Equal(Convert.ToHexString(theirs), Convert.ToHexString(ours));
            if (saved.Tensors[name].Dtype != TensorDtype.BF16) // the storage type that was asked for
                Assert.Equal((saved.Tensors[name].Dtype, saved.Tensors[name].ShapeText), (made.Tensors[name].Dtype, made.Tensors[name].ShapeText));
        }
    }

    /// <summary>2e-6 of the largest scale: the order of summing is another.</summary>
    private const double MeanTolerance = 2e-6 * 0.7;

    private static void AssertSameState(JsonObject ours, JsonObject theirs)
    {
        Assert.Equal(theirs.Select(p => p.Key).Order(StringComparer.Ordinal), ours.Select(p => p.Key).Order(StringComparer.Ordinal));
        foreach ((string key, JsonNode? value) in theirs)
        {
            if (key == "nested_offset")
                Assert.Equal((double)value!, (double)ours[key]!, MeanTolerance);
            else
                Assert.True(JsonNode.DeepEquals(value, ours[key]), key);
        }
    }

    private static string PathOf(string name) => Path.Combine(Golden.Root, "bitsandbytes", name);
}
