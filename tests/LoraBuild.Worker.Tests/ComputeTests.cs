// How the verbs hold a model that is not trained.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Training;
using TorchSharp;

namespace LoraBuild.Worker.Tests;

public sealed class ComputeTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void On_a_cpu_narrow_weights_stay_as_their_file_has_them_where_our_products_are()
    {
        string directory = worker.Model();
        using (CausalLM wide = CausalLM.Load(directory, new LoadOptions()))
            wide.SaveWeights(directory, TensorDtype.BF16);
        (CausalLM model, LoraAdapter? adapter) = new Compute(torch.CPU, null).Load(directory, null);
        using (model)
        {
            Assert.Null(adapter);
            Assert.Equal(StepProfile.IsAvailable, model.LinearModules[0].BaseMatrix.Frozen is StoredWeight);
            Assert.Equal(StepProfile.IsAvailable, model.Embedding.BaseMatrix.Frozen is StoredWeight);
        }
    }

    [Fact]
    public void On_a_device_they_have_the_type_of_the_arithmetic() =>
        Assert.False(new Compute(torch.device(DeviceType.CUDA, 0), torch.ScalarType.Float32).LoadOptions.HoldsStoredType);

    public void Dispose() => worker.Dispose();
}
