// Full fine-tuning: gradients of all weights, the padding row, and the weights on disk.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class FullTrainingTests
{
    private const string Run = "llama-tied-full";

    [Fact]
    public void Gradients_of_the_first_step_equal_the_reference()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { RequiresGrad = true });
        FirstStep.Backward(model, Run);
        string path = Path.Combine(Golden.Lora(Run), "grads_step1.safetensors");
        Dictionary<string, Tensor> parameters = model.TrainableParameters().ToDictionary(p => p.Name, p => p.Value);
        Assert.True(parameters.Count == 29, "embedding, three layers of nine, final norm");
        if (!File.Exists(path))
            return;
        using GoldenTensors expected = new(path);
        foreach (string name in expected.Names)
        {
            using Tensor gradient = parameters[name].grad!;
            expected.AssertClose(name, gradient, 1e-5); // golden/README.md: gradients of step 1
        }
    }

    [Fact]
    public void Lookups_of_the_padding_id_give_its_row_no_gradient()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-untied-rope3"), new LoadOptions { RequiresGrad = true });
        int padding = model.Spec.PaddingId!.Value;
        using PackedBatch batch = PackedBatch.FromDocuments([new int[] { 7, padding, 9 }]);
        using Tensor hidden = model.HiddenStates(batch);
        using Tensor sum = hidden.square().sum();
        sum.backward();
        using Tensor gradient = model.Embedding.Matrix.Plain!.grad!;
        float[] values = TensorTypes.ToFloat32Array(gradient);
        Assert.All(values.AsSpan(padding * model.HiddenSize, model.HiddenSize).ToArray(), v => Assert.Equal(0, v));
        Assert.Contains(values.AsSpan(7 * model.HiddenSize, model.HiddenSize).ToArray(), v => v != 0);
    }

    [Fact]
    public void Saved_weights_are_those_that_were_loaded_and_a_tied_head_is_not_written()
    {
        string source = Golden.Model("llama-tied");
        using TemporaryDirectory directory = new();
        using (CausalLM model = CausalLM.Load(source, new LoadOptions { RequiresGrad = true }))
            model.SaveWeights(directory.Path);
        using SafetensorsFile original = SafetensorsFile.Open(Path.Combine(source, CausalLM.WeightsFileName));
        using SafetensorsFile saved = SafetensorsFile.Open(Path.Combine(directory.Path, CausalLM.WeightsFileName));
        Assert.Equal(original.Tensors.Keys, saved.Tensors.Keys);
        foreach (string name in original.Tensors.Keys)
            Assert.Equal(original.GetBytes(name).ToArray(), saved.GetBytes(name).ToArray());
    }

    [Fact]
    public void Weights_can_be_saved_in_another_type()
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("qwen2-bf16");
        byte[] original = File.ReadAllBytes(Path.Combine(directory.Path, CausalLM.WeightsFileName));
        using (CausalLM model = CausalLM.Load(Golden.Model("qwen2-bf16"), new LoadOptions { RequiresGrad = true }))
            model.SaveWeights(directory.Path, TensorDtype.BF16);
        Assert.Equal(original, File.ReadAllBytes(Path.Combine(directory.Path, CausalLM.WeightsFileName)));
    }

    [Fact]
    public void Training_writes_to_memory_and_never_to_the_file()
    {
        using TemporaryDirectory directory = Golden.CopyOfModel("llama-tied");
        string file = Path.Combine(directory.Path, CausalLM.WeightsFileName);
        byte[] before = File.ReadAllBytes(file);
        using (CausalLM model = CausalLM.Load(directory.Path, new LoadOptions { RequiresGrad = true }))
        {
            using var noGrad = no_grad();
            foreach ((_, Tensor weight) in model.TrainableParameters())
                weight.zero_().Dispose();
        }

        Assert.Equal(before, File.ReadAllBytes(file));
    }

    [Fact]
    public void Fresh_weights_follow_the_seed_and_the_initializer_range()
    {
        LoadOptions options = new() { RandomWeights = true, Seed = 5 };
        using CausalLM first = CausalLM.Load(Golden.Model("llama-untied-rope3"), options);
        using CausalLM second = CausalLM.Load(Golden.Model("llama-untied-rope3"), options);
        using CausalLM third = CausalLM.Load(Golden.Model("llama-untied-rope3"), options with { Seed = 6 });
        float[] head = TensorTypes.ToFloat32Array(first.HeadWeight.Plain!);
        Assert.Equal(head, TensorTypes.ToFloat32Array(second.HeadWeight.Plain!));
        Assert.NotEqual(head, TensorTypes.ToFloat32Array(third.HeadWeight.Plain!));
        Assert.Equal(0.02, Math.Sqrt(head.Average(v => (double)v * v)), 0.001);
        (_, Tensor norm) = first.NamedParameters().Last(p => p.Name == "model.norm.weight");
        Assert.All(TensorTypes.ToFloat32Array(norm), v => Assert.Equal(1, v));
        float[] embedding = TensorTypes.ToFloat32Array(first.Embedding.Matrix.Plain!);
        Assert.All(embedding.AsSpan(first.Spec.PaddingId!.Value * first.HiddenSize, first.HiddenSize).ToArray(), v => Assert.Equal(0, v));
    }
}
