// Models whose weights are quantised while they are read, kept for the next start, or stored quantised already.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Tests.Export;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Quantization;

public sealed class QuantizedLoadingTests
{
    [Theory]
    [InlineData("llama-untied-rope3")]
    [InlineData("phi3")]
    [InlineData("gemma3-mm")]
    [InlineData("llama-sharded")]
    public void All_linear_weights_but_the_heads_are_quantised_and_nothing_else(string name)
    {
        using CausalLM plain = CausalLM.Load(Golden.Model(name), new LoadOptions());
        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions { Quantization = new QuantizationOptions() });
        Assert.Equal(plain.ParameterCount, model.ParameterCount);
        Assert.All(model.LinearModules.Where(l => l != model.Head), l => Assert.IsType<QuantizedWeight>(l.BaseMatrix.Frozen));
        Assert.NotNull(model.Head.BaseMatrix.Plain);
        Assert.Equal(
            ParameterLayout.All(model.Spec).Where(p => p.Kind != ParameterKind.LinearWeight || p.ModulePath == "lm_head").Select(p => p.Name),
            model.NamedParameters().Select(p => p.Name));
        double difference = GoldenTensors.LargestDifference(Logits(plain), Logits(model));
        Assert.InRange(difference, 1e-4, 10); // another model, though a near one
    }

    [Theory]
    [InlineData(WeightCode.Nf4, true)]
    [InlineData(WeightCode.Fp4, false)]
    [InlineData(WeightCode.Int8, false)]
    public void Random_codes_spread_like_random_weights(WeightCode code, bool isDouble)
    {
        LoadOptions random = new() { RandomWeights = true, DrawOnDevice = true, Quantization = new QuantizationOptions { Code = code, HasDoubleQuantization = isDouble } };
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), random);
        Assert.All(model.LinearModules.Where(l => l != model.Head), l =>
        {
            using Tensor rows = l.BaseMatrix.Frozen!.Rows(0, l.OutFeatures);
            using Tensor square = rows.square();
            using Tensor mean = square.mean();
            Assert.InRange(Math.Sqrt(mean.item<float>()) / model.Spec.InitializerRange, 0.9, 1.1);
        });
        Assert.All(Logits(model), v => Assert.True(float.IsFinite(v)));
        Assert.Throws<ArgumentException>(() => CausalLM.Load(Golden.Model("llama-tied"), random with { DrawOnDevice = false }));
    }

    [Theory]
    [InlineData(WeightCode.Nf4, true)]
    [InlineData(WeightCode.Nf4, false)]
    [InlineData(WeightCode.Fp4, true)]
    [InlineData(WeightCode.Int8, true)]
    public void A_second_start_maps_what_the_first_one_made(WeightCode code, bool isDouble)
    {
        using TemporaryDirectory model = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory cache = new();
        QuantizationOptions options = new() { Code = code, HasDoubleQuantization = isDouble };
        float[] without = LogitsOf(model.Path, options);
        options = options with { Cache = new QuantizedCache(Path.Combine(cache.Path, "quantized"), "one") };
        float[] first = LogitsOf(model.Path, options);
        string file = Assert.Single(Directory.GetFiles(cache.Path, "*", SearchOption.AllDirectories));
        DateTime written = File.GetLastWriteTimeUtc(file);
        float[] second = LogitsOf(model.Path, options);
        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
        Assert.Equal(without, first);
        Assert.Equal(without, second);
    }

    [Fact]
    public void Other_settings_or_another_base_replace_the_cache_and_a_damaged_one_is_made_again()
    {
        using TemporaryDirectory model = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory cache = new();
        QuantizationOptions options = new() { Cache = new QuantizedCache(cache.Path, "one") };
        float[] expected = LogitsOf(model.Path, options);
        string first = Assert.Single(Directory.GetFiles(cache.Path, "*", SearchOption.AllDirectories));

        File.WriteAllBytes(first, File.ReadAllBytes(first)[..^100]);
        Assert.Equal(expected, LogitsOf(model.Path, options));

        byte[] whole = File.ReadAllBytes(first);
        byte[] flipped = [.. whole];
        flipped[^(flipped.Length / 2)] ^= 0x10; // another code, as good as the right one for every other check
        File.WriteAllBytes(first, flipped);
        Assert.Equal(expected, LogitsOf(model.Path, options));
        Assert.Equal(whole, File.ReadAllBytes(first));

        // What a kill in the middle of writing leaves, here and in the folder of older settings.
        File.Delete(first);
        File.WriteAllBytes(Path.Combine(Path.GetDirectoryName(first)!, ".model.safetensors.1.tmp"), whole[..100]);
        File.WriteAllBytes(Path.Combine(Directory.CreateDirectory(Path.Combine(cache.Path, "older")).FullName, ".model.safetensors.2.tmp"), whole[..100]);
        Assert.Equal(expected, LogitsOf(model.Path, options));
        Assert.Equal([first], Directory.GetFiles(cache.Path, "*", SearchOption.AllDirectories));

        LogitsOf(model.Path, options with { HasDoubleQuantization = false });
        string second = Assert.Single(Directory.GetFiles(cache.Path, "*", SearchOption.AllDirectories));
        Assert.NotEqual(first, second);
        LogitsOf(model.Path, options with { Cache = options.Cache! with { BaseIdentity = "two" } });
        Assert.NotEqual(second, Assert.Single(Directory.GetFiles(cache.Path, "*", SearchOption.AllDirectories)));
    }

    [Fact]
    public void Making_codes_can_be_cancelled_and_leaves_no_cache()
    {
        using TemporaryDirectory model = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory cache = new();
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        QuantizationOptions options = new() { Cache = new QuantizedCache(cache.Path, "one") };
        Assert.Throws<OperationCanceledException>(() => LogitsOf(model.Path, options with { Cancellation = cancelled.Token }));
        Assert.Empty(Directory.GetFileSystemEntries(cache.Path));
        float[] expected = LogitsOf(model.Path, options);
        Assert.Equal(expected, LogitsOf(model.Path, options with { Cancellation = cancelled.Token })); // codes that are there need no making
    }

    [Theory]
    [InlineData(WeightCode.Nf4)]
    [InlineData(WeightCode.Int8)]
    public void A_directory_that_bitsandbytes_stored_loads_as_it_is(WeightCode code)
    {
        using TemporaryDirectory original = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory stored = Stored(original.Path, code);
        float[] expected = LogitsOf(original.Path, new QuantizationOptions { Code = code });
        Assert.Equal(expected, LogitsOf(stored.Path, null));
        Assert.Equal(expected, LogitsOf(stored.Path, new QuantizationOptions { Code = code }));
    }

    [Fact]
    public void What_is_stored_otherwise_than_asked_for_or_cannot_be_trained_is_told()
    {
        using TemporaryDirectory original = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory stored = Stored(original.Path, WeightCode.Nf4);
        Assert.Equal("LB0514", Code(new LoadOptions { Quantization = new QuantizationOptions { Code = WeightCode.Int8 } }));
        Assert.Equal("LB0514", Code(new LoadOptions { RequiresGrad = true }));

        string Code(LoadOptions options) => Assert.Throws<DiagnosticException>(() => CausalLM.Load(stored.Path, options)).Diagnostics[0].Code;
    }

    [Theory]
    [InlineData(WeightCode.Nf4)]
    [InlineData(WeightCode.Int8)]
    public void Weights_that_are_not_finite_are_told_and_not_hidden_by_codes(WeightCode code)
    {
        using TemporaryDirectory original = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory damaged = new();
        foreach (string file in Directory.GetFiles(original.Path).Where(f => !f.EndsWith(".safetensors", StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(damaged.Path, Path.GetFileName(file)));
        const string Name = "model.layers.0.mlp.up_proj.weight";
        using (ModelFiles files = ModelFiles.Open(original.Path))
        {
            float[] values = files.ReadFloat32(Name);
            values[7] = float.NaN;
            SafetensorsWriter.Write(Path.Combine(damaged.Path, ModelFiles.SingleFileName), [.. files.Tensors.Keys.Select(n => n == Name
                ? TensorToWrite.FromFloat32(n, files.Tensors[n].Shape, values)
                : TensorToWrite.CopyOf(files.FileOf(n), n))]);
        }

        DiagnosticException told = Assert.Throws<DiagnosticException>(() => LogitsOf(damaged.Path, new QuantizationOptions { Code = code }));
        Assert.Equal("LB0515", told.Diagnostics[0].Code);
        Assert.Contains("number 7", told.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_in_their_stored_type_give_the_logits_of_widened_ones()
    {
        using TemporaryDirectory directory = GgufModels.Materialise("llama-tied");
        using CausalLM widened = CausalLM.Load(directory.Path, new LoadOptions());
        using CausalLM stored = CausalLM.Load(directory.Path, new LoadOptions { HoldsStoredType = true });
        Assert.IsType<StoredWeight>(stored.LinearModules[0].BaseMatrix.Frozen);
        Assert.Equal(ScalarType.Float32, stored.Dtype);
        GoldenTensors.AssertClose(Logits(widened), Logits(stored), 1e-4, "logits");
    }

    /// <summary>As transformers saves a model that was loaded with a BitsAndBytesConfig.</summary>
    private static TemporaryDirectory Stored(string model, WeightCode code)
    {
        TemporaryDirectory stored = new();
        foreach (string file in Directory.GetFiles(model).Where(f => !f.EndsWith(".safetensors", StringComparison.Ordinal)))
            File.Copy(file, Path.Combine(stored.Path, Path.GetFileName(file)));
        string config = Path.Combine(stored.Path, "config.json");
        JsonNode json = JsonNode.Parse(File.ReadAllText(config))!;
        json["quantization_config"] = JsonNode.Parse(code == WeightCode.Int8
            ? """{"load_in_4bit": false, "load_in_8bit": true, "llm_int8_threshold": 6.0, "quant_method": "bitsandbytes"}"""
            : """{"bnb_4bit_compute_dtype": "bfloat16", "bnb_4bit_quant_storage": "uint8", "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": true, "load_in_4bit": true, "load_in_8bit": false, "quant_method": "bitsandbytes"}""");
        File.WriteAllText(config, json.ToJsonString());
        using ModelFiles files = ModelFiles.Open(model);
        SafetensorsWriter.Write(Path.Combine(stored.Path, ModelFiles.SingleFileName), [.. files.Tensors.Keys.SelectMany(name => name.Contains("_proj.weight", StringComparison.Ordinal)
            ? PackedArrays.Encode(code, files.ReadFloat32(name), files.Tensors[name].Shape, 64, true).ToWrite(name, TensorDtype.BF16)
            : [TensorToWrite.CopyOf(files.FileOf(name), name)])]);
        return stored;
    }

    private static float[] LogitsOf(string directory, QuantizationOptions? options)
    {
        using CausalLM model = CausalLM.Load(directory, new LoadOptions { Quantization = options });
        return Logits(model);
    }

    private static float[] Logits(CausalLM model)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([new[] { 5, 17, 3, 60, 42, 9 }], model.Device);
        return TensorTypes.ToFloat32Array(model.Logits(model.HiddenStates(batch)));
    }
}
