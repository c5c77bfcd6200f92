// One QLoRA layer and a whole QLoRA run against bitsandbytes and PyTorch (golden/nf4, tolerances of its manifest).
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Tests.Export;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Quantization;

public sealed class GoldenQLoraTests
{
    private static JsonNode Manifest { get; } = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root, "nf4", "manifest.json")))!;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_layer_computes_outputs_and_gradients_of_the_reference(int index)
    {
        JsonNode golden = Manifest["layers"]![index]!;
        using TemporaryDirectory directory = GgufModels.Materialise("llama-tied");
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions { Quantization = new QuantizationOptions() });
        string path = ((string)golden["weight"]!)[..^".weight".Length];
        LinearLayer linear = model.LinearModules.Single(l => l.Path == path);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Golden.Root, "nf4", (string)golden["packed"]!)), Packed(directory.Path, (string)golden["weight"]!));
        Assert.Equal((string)golden["dequantised_sha256"]!, GgufModels.Sha256(linear.BaseMatrix.Frozen!.Rows(0, linear.OutFeatures).bytes));

        using TemporaryDirectory adapterDirectory = WriteAdapter([(path, Input(golden, "A"), Input(golden, "B"))]);
        using LoraAdapter adapter = LoraAdapter.Load(model, adapterDirectory.Path, isTrainable: true);
        Tensor x = tensor(Input(golden, "X"), [12, linear.InFeatures]).requires_grad_();
        Tensor y = linear.Forward(x);
        autograd.backward([y], [tensor(Input(golden, "G"), [12, linear.OutFeatures])]);
        Close(golden, "Y", y);
        Close(golden, "dX", x.grad!);
        Close(golden, "dA", adapter.Modules[0].A.grad!);
        Close(golden, "dB", adapter.Modules[0].B.grad!);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_layer_in_bf16_computes_the_outputs_of_the_reference(int index)
    {
        JsonNode golden = Manifest["layers"]![index]!;
        using TemporaryDirectory directory = GgufModels.Materialise("llama-tied");
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions { Dtype = ScalarType.BFloat16, Quantization = new QuantizationOptions() });
        string path = ((string)golden["weight"]!)[..^".weight".Length];
        LinearLayer linear = model.LinearModules.Single(l => l.Path == path);
        using TemporaryDirectory adapterDirectory = WriteAdapter([(path, Input(golden, "A"), Input(golden, "B"))]);
        using LoraAdapter adapter = LoraAdapter.Load(model, adapterDirectory.Path, isTrainable: true);
        Tensor y = linear.Forward(tensor(Input(golden, "X"), [12, linear.InFeatures]).to_type(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, y.dtype);
        byte[] bytes = File.ReadAllBytes(Path.Combine(Golden.Root, "nf4", (string)golden["files"]!["Y_bf16"]!));
        float[] expected = new float[bytes.Length / 2];
        FloatConversion.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(bytes), expected);
        GoldenTensors.AssertClose(expected, TensorTypes.ToFloat32Array(y), (double)golden["tolerance"]!["Y_bf16"]!, "Y_bf16");
    }

    [Fact]
    public void Six_steps_of_the_trainer_are_those_of_the_reference()
    {
        JsonNode golden = Manifest["model"]!;
        JsonNode tolerance = golden["tolerance"]!;
        using TemporaryDirectory directory = GgufModels.Materialise("llama-tied");
        using TemporaryDirectory output = new();
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions { Quantization = new QuantizationOptions { Cache = new QuantizedCache(Path.Combine(output.Path, "cache"), "llama-tied") } });
        ulong seed = (ulong)(int)golden["seed"]!;
        Dictionary<string, LinearLayer> linears = model.LinearModules.ToDictionary(l => l.Path);
        using TemporaryDirectory start = WriteAdapter(
            [.. golden["lora_on"]!.AsArray().Select(n => (string)n!).Select(p => (
                p,
                GgufModels.Formula(p + ".lora_A", 8 * linears[p].InFeatures, seed, 0, 0.05),
                GgufModels.Formula(p + ".lora_B", 8 * linears[p].OutFeatures, seed, 0, 0.02)))]);
        using LoraAdapter adapter = LoraAdapter.Load(model, start.Path, isTrainable: true);
        int[][] ids = Rows(golden["input_ids"]!), labels = Rows(golden["labels"]!);
        TokenDocuments documents = new([.. ids.SelectMany(i => i)], [.. labels.SelectMany(i => i)], [0, ids[0].Length, ids[0].Length + ids[1].Length]);
        SameFirstStep(model, documents, golden, tolerance);

        RecordingObserver observer = new();
        TrainOptions options = new()
        {
            MaxSteps = 6, BatchSize = 2, Shuffle = false, LearningRate = 1e-3, Schedule = LearningRateScheduleKind.Constant, WeightDecay = 0.01, MaxGradNorm = 0,
        };
        Trainer.Run(model, adapter, documents, null, options, output.Path, observer);

        JsonArray steps = golden["steps"]!.AsArray();
        Assert.Equal(steps.Count, observer.Steps.Count);
        for (int i = 0; i < steps.Count; i++)
        {
            Assert.Equal((double)steps[i]!["loss"]!, observer.Steps[i].Loss, (double)tolerance["loss"]!);
            Assert.Equal((double)steps[i]!["grad_norm_total"]!, observer.Steps[i].GradNorm, (double)tolerance["grad_rel"]! * (double)steps[i]!["grad_norm_total"]!);
        }

        foreach (LoraLinear module in adapter.Modules)
        {
            foreach ((string part, Tensor value) in ((string, Tensor)[])[("A", module.A), ("B", module.B)])
            {
                string file = Path.Combine(Golden.Root, "nf4", $"model.after6.{module.Target.Path}.{part}.f32.bin");
                if (File.Exists(file))
                    GoldenTensors.AssertClose(Floats(file), TensorTypes.ToFloat32Array(value), (double)tolerance["after6_abs"]!, file);
            }
        }
    }

    private static void SameFirstStep(CausalLM model, TokenDocuments documents, JsonNode golden, JsonNode tolerance)
    {
        using DisposeScope scope = NewDisposeScope();
        MicroBatch batch = MicroBatch.Create(documents, [0, 1]);
        PackedBatch packed = batch.ToPacked(model.Device);
        Tensor hidden = model.HiddenStates(packed);
        Tensor lasts = tensor([(long)documents[0].Length - 1, documents.InputIds.Length - 1]);
        float[] expected = Floats(Path.Combine(Golden.Root, "nf4", (string)golden["logits_last"]!));
        GoldenTensors.AssertClose(expected, TensorTypes.ToFloat32Array(model.Logits(hidden.index_select(0, lasts))), (double)tolerance["logits"]!, "logits");
        CausalLMLoss.Backward(model, hidden, batch, 1.0 / batch.TargetCount);
        int compared = 0;
        foreach ((string name, Tensor value) in model.TrainableParameters())
        {
            string plain = name.Replace("base_model.model.", "", StringComparison.Ordinal).Replace(".lora_", ".", StringComparison.Ordinal).Replace(".weight", "", StringComparison.Ordinal);
            string file = Path.Combine(Golden.Root, "nf4", $"model.grad.{plain}.f32.bin");
            float[] gradient = TensorTypes.ToFloat32Array(value.grad!);
            value.grad!.zero_();
            value.grad = null;
            if (!File.Exists(file))
                continue;
            float[] reference = Floats(file);
            GoldenTensors.AssertClose(reference, gradient, (double)tolerance["grad_rel"]! * reference.Max(Math.Abs), file);
            compared++;
        }

        Assert.Equal(golden["grad_files"]!.AsArray().Count, compared);
    }

    private static byte[] Packed(string directory, string weight)
    {
        using ModelFiles files = ModelFiles.Open(directory);
        return PackedArrays.Encode(WeightCode.Nf4, files.ReadFloat32(weight), files.Tensors[weight].Shape, 64, true).Codes;
    }

    private static TemporaryDirectory WriteAdapter(IReadOnlyList<(string Path, float[] A, float[] B)> modules)
    {
        TemporaryDirectory directory = new();
        PeftAdapterConfig config = new() { R = 8, LoraAlpha = 16, LoraDropout = 0, TargetModules = [.. modules.Select(m => m.Path)] };
        PeftAdapterFiles.Write(directory.Path, config, [.. modules.SelectMany(m => new[]
        {
            TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfA(m.Path), [8, m.A.Length / 8], m.A),
            TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfB(m.Path), [m.B.Length / 8, 8], m.B),
        })]);
        return directory;
    }

    private static float[] Input(JsonNode layer, string part)
    {
        JsonNode input = layer["inputs"]![part]!;
        return GgufModels.Formula((string)input["name"]!, input["shape"]!.AsArray().Aggregate(1L, (a, n) => a * (long)n!), (ulong)(int)layer["input_seed"]!, (double)input["base"]!, (double)input["scale"]!);
    }

    private static void Close(JsonNode layer, string part, Tensor actual) =>
        GoldenTensors.AssertClose(Floats(Path.Combine(Golden.Root, "nf4", (string)layer["files"]![part]!)), TensorTypes.ToFloat32Array(actual), (double)layer["tolerance"]![part]!, part);

    private static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(file)).ToArray();

    private static int[][] Rows(JsonNode rows) => [.. rows.AsArray().Select(r => r!.AsArray().Select(n => (int)n!).ToArray())];
}
