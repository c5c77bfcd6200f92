// A whole run on a GPU beside the same run on the processor.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

public sealed class CudaTrainingTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-test-");

    public void Dispose() => directory.Delete(recursive: true);

    [CudaTheory]
    [InlineData(ScalarType.Float32, 2e-3)]
    [InlineData(ScalarType.BFloat16, 5e-2)]
    public void A_run_on_the_device_has_the_losses_of_one_on_the_processor(ScalarType type, double tolerance)
    {
        double[] processor = Losses(CPU, ScalarType.Float32), device = Losses(CudaTest.Device, type);
        Assert.Equal(processor.Length, device.Length);
        Assert.All(processor.Zip(device), pair => Assert.Equal(pair.First, pair.Second, tolerance));
    }

    private double[] Losses(Device place, ScalarType type)
    {
        RecordingObserver observer = new();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { Device = place, Dtype = type });
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = 0, TargetModules = ["q_proj", "v_proj"], Seed = 3 });
        Trainer.Run(model, adapter, TinyRun.Train, TinyRun.Evaluation, TinyRun.Options, Path.Combine(directory.FullName, $"{place}-{type}"), observer);
        return [.. observer.Steps.Select(s => s.Loss)];
    }
}
