// Whole runs on a GPU beside the same runs on the processor.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

public sealed class CudaTrainingTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-test-");

    public void Dispose() => directory.Delete(recursive: true);

    [CudaTheory]
    [InlineData("llama-tied", ScalarType.Float32, 2e-3)]
    [InlineData("llama-tied", ScalarType.BFloat16, 5e-2)]
    [InlineData("gemma2", ScalarType.BFloat16, 5e-2)] // caps on scores and logits, windows
    [InlineData("qwen3", ScalarType.BFloat16, 5e-2)] // norms of heads
    public void A_run_on_the_device_has_the_losses_of_one_on_the_processor(string name, ScalarType type, double tolerance) =>
        Same(Losses(name, CPU, ScalarType.Float32), Losses(name, CudaTest.Device, type), tolerance);

    [CudaTheory]
    [InlineData(WeightCode.Nf4, ScalarType.Float32, 2e-3)]
    [InlineData(WeightCode.Nf4, ScalarType.BFloat16, 5e-2)]
    [InlineData(WeightCode.Int8, ScalarType.BFloat16, 5e-2)]
    public void So_has_a_run_over_compressed_weights(WeightCode code, ScalarType type, double tolerance)
    {
        LoadOptions options = new() { Quantization = new QuantizationOptions { Code = code } };
        Same(Losses("llama-tied", CPU, ScalarType.Float32, options), Losses("llama-tied", CudaTest.Device, type, options), tolerance);
    }

    [CudaFact]
    public void So_has_a_run_over_weights_in_their_stored_type()
    {
        LoadOptions options = new() { HoldsStoredType = true };
        Same(Losses("qwen2-bf16", CPU, ScalarType.Float32, options), Losses("qwen2-bf16", CudaTest.Device, ScalarType.Float32, options), 2e-3);
    }

    [CudaTheory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void So_has_a_run_with_recomputed_layers_or_DoRA(bool isRecomputed, bool isDora)
    {
        double[] processor = Losses("llama-tied", CPU, ScalarType.Float32, isRecomputed: isRecomputed, isDora: isDora);
        Same(processor, Losses("llama-tied", CudaTest.Device, ScalarType.BFloat16, isRecomputed: isRecomputed, isDora: isDora), 5e-2);
    }

    [CudaFact]
    public void Full_training_lowers_the_loss_on_the_device_as_on_the_processor() =>
        Same(FullLosses(CPU, ScalarType.Float32), FullLosses(CudaTest.Device, ScalarType.Float32), 2e-3);

    [CudaFact]
    public void A_run_with_dropout_learns()
    {
        double[] losses = Losses("llama-tied", CudaTest.Device, ScalarType.BFloat16, dropout: 0.1);
        Assert.All(losses, l => Assert.True(double.IsFinite(l)));
        Assert.NotEqual(losses, Losses("llama-tied", CudaTest.Device, ScalarType.BFloat16));
    }

    private static void Same(double[] processor, double[] device, double tolerance)
    {
        Assert.NotEmpty(processor);
        Assert.Equal(processor.Length, device.Length);
        Assert.All(processor.Zip(device), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }

    private double[] Losses(string name, Device place, ScalarType type, LoadOptions? options = null, double dropout = 0, bool isRecomputed = false, bool isDora = false)
    {
        RecordingObserver observer = new();
        using CausalLM model = CausalLM.Load(Golden.Model(name), (options ?? new LoadOptions()) with { Device = place, Dtype = type });
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = dropout, TargetModules = ["q_proj", "v_proj"], Seed = 3, UseDora = isDora });
        Trainer.Run(model, adapter, TinyRun.Train, TinyRun.Evaluation, TinyRun.Options with { GradientCheckpointing = isRecomputed }, Output(place), observer);
        return [.. observer.Steps.Select(s => s.Loss)];
    }

    private double[] FullLosses(Device place, ScalarType type)
    {
        RecordingObserver observer = new();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { Device = place, Dtype = type, RequiresGrad = true });
        Trainer.Run(model, null, TinyRun.Train, TinyRun.Evaluation, TinyRun.Options, Output(place), observer);
        return [.. observer.Steps.Select(s => s.Loss)];
    }

    private string Output(Device place) => Path.Combine(directory.FullName, $"{place}-{directory.GetDirectories().Length}");
}
