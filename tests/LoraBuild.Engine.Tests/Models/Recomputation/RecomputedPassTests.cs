// Layers that are computed again give the loss and the gradients of a pass that keeps everything, to the last bit.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Recomputation;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Recomputation;

public sealed class RecomputedPassTests
{
    /// <summary>Low-rank updates of four families, DoRA, the embedding and the head trained whole (tied and not), all weights.</summary>
    public static TheoryData<string> Runs() =>
    [
        "llama-tied-qkv-r4", "gemma3-text-all7-r4", "phi3-all-r4", "mistral-qkvog-r16", "qwen2-qkvo-r8-dora", "llama-tied-all7-r8-dora",
        "llama-tied-embed-head-r4-kept-tied", "llama-tied-embed-head-r4-untied", "llama-untied-embed-head-r4", "llama-tied-full",
    ];

    [Theory]
    [MemberData(nameof(Runs))]
    public void Loss_and_gradients_are_those_of_the_whole_graph_bit_by_bit(string name)
    {
        GoldenRun run = new(name);
        using CausalLM model = CausalLM.Load(run.ModelDirectory, new LoadOptions { RequiresGrad = run.InitialAdapter is null });
        using LoraAdapter? adapter = run.InitialAdapter is null ? null : LoraAdapter.Load(model, run.InitialAdapter, isTrainable: true);
        Same(model, () => Step(model, run));
    }

    [Theory]
    [InlineData("llama-tied")]
    [InlineData("gemma3-text")]
    [InlineData("phi3")]
    [InlineData("qwen3")]
    [InlineData("olmo2")]
    [InlineData("granite")]
    public void So_they_are_with_dropout_and_noise(string name)
    {
        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraDropout = 0.3, UseDora = name == "llama-tied", TargetModules = [name == "phi3" ? "qkv_proj" : "q_proj", "down_proj"], Seed = 3 });
        using NeftuneNoise noise = new(5);
        model.InputNoise = noise;
        Train(adapter, 0.1f);
        Same(model, () =>
        {
            double loss = 0;
            for (int i = 0; i < 2; i++)
            {
                adapter.SetDropoutSeed(i);
                noise.SetSeed(i + 10);
                loss += Backward(model, MicroBatch.Create(TinyRun.Train, [2 * i, (2 * i) + 1]), 0.01);
            }

            return loss;
        });
    }

    [Fact]
    public void So_they_are_with_single_trained_rows_of_a_tied_embedding()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, TargetModules = ["v_proj"], TrainableTokenIndices = [3, 7, 200], Seed = 3 });
        Same(model, () => Enumerable.Range(0, 4).Sum(i => Backward(model, MicroBatch.Create(TinyRun.Train, [i]), 0.1)));
    }

    [Fact]
    public void Layers_below_the_first_adapter_are_neither_kept_nor_computed_again()
    {
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(Golden.Model("gemma3-text"), new LoadOptions());
        int last = model.LayerCount - 1;
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, TargetModules = ["q_proj"], LayersToTransform = [last], Seed = 3 });
        using TemporaryDirectory directory = new();
        using LayerRecomputation recomputation = new(Path.Combine(directory.Path, "scratch"));
        model.RecomputedLayers = recomputation;
        using PackedBatch batch = MicroBatch.Create(TinyRun.Train, [0, 1]).ToPacked(CPU);
        ITrainingPass pass = model.TrainingPass(batch);
        Assert.True(pass.Hidden.requires_grad);
        Assert.Equal((long)(last + 1) * batch.TokenCount * model.HiddenSize * 4, recomputation.File!.Length); // one place, the last
        model.RecomputedLayers = null;
        Same(model, () => Backward(model, MicroBatch.Create(TinyRun.Train, [0, 1]), 1));
    }

    [Fact]
    public void The_scratch_file_goes_with_its_owner_and_replaces_what_a_killed_run_left()
    {
        using DisposeScope scope = NewDisposeScope();
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "below", "scratch");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, new byte[1000]);
        using (LayerInputFile file = new(path))
        {
            Assert.Equal(0, file.Length);
            Tensor value = arange(60, dtype: ScalarType.Float32).reshape(5, 12).to(ScalarType.BFloat16);
            file.Write(120, value);
            Tensor back = zeros_like(value);
            file.Read(120, back);
            Assert.True(value.Equals(back));
            Assert.True(File.Exists(path));
            Assert.Throws<EndOfStreamException>(() => file.Read(121, back));
        }

        Assert.False(File.Exists(path));
    }

    /// <summary>The whole graph, recomputation in memory, recomputation through a file.</summary>
    private static void Same(CausalLM model, Func<double> step)
    {
        using TemporaryDirectory directory = new();
        using LayerRecomputation inMemory = new(null);
        using LayerRecomputation inFile = new(Path.Combine(directory.Path, "scratch"));
        double expectedLoss = step();
        Dictionary<string, byte[]> expected = TakeGradients(model);
        Assert.Contains(expected.Values, g => g.Any(b => b != 0));
        foreach (LayerRecomputation way in new[] { inMemory, inFile })
        {
            model.RecomputedLayers = way;
            Assert.Equal(expectedLoss, step());
            Assert.Equal(expected, TakeGradients(model));
        }

        model.RecomputedLayers = null;
    }

    private static double Step(CausalLM model, GoldenRun run)
    {
        MicroBatch[] batches = [.. BatchPlan.Create(TokenObjective.LengthsOf(run.Train), run.Options).MicroBatchesOf(0).Select(d => MicroBatch.Create(run.Train, d))];
        return batches.Sum(b => Backward(model, b, 1.0 / batches.Sum(o => o.TargetCount)));
    }

    private static double Backward(CausalLM model, MicroBatch batch, double scale)
    {
        using DisposeScope scope = NewDisposeScope();
        using PackedBatch packed = batch.ToPacked(model.Device);
        return CausalLMLoss.Backward(model, model.TrainingPass(packed), batch, scale, 0.1);
    }

    /// <summary>A fresh B is zero and would hide what comes through A.</summary>
    private static void Train(LoraAdapter adapter, float value)
    {
        using IDisposable noGrad = no_grad();
        foreach (LoraLinear module in adapter.Modules)
            _ = module.B.fill_(value);
    }

    private static Dictionary<string, byte[]> TakeGradients(CausalLM model)
    {
        Dictionary<string, byte[]> gradients = [];
        foreach ((string name, Tensor value) in model.TrainableParameters())
        {
            using Tensor? gradient = value.grad;
            gradients[name] = gradient is null ? [] : gradient.bytes.ToArray();
            value.grad = null;
        }

        return gradients;
    }
}
