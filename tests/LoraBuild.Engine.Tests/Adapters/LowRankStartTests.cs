// PiSSA and OLoRA: the start changes nothing, holds what the papers say, and what is saved is a plain LoRA that computes the same.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class LowRankStartTests
{
    private static readonly LoraOptions Options = new() { R = 4, LoraAlpha = 8, TargetModules = ["q_proj", "down_proj"], Seed = 3 };

    [Theory]
    [InlineData(LoraInit.Pissa, false, false)]
    [InlineData(LoraInit.Olora, false, false)]
    [InlineData(LoraInit.Pissa, true, false)]
    [InlineData(LoraInit.Pissa, false, true)]
    [InlineData(LoraInit.Olora, true, true)]
    public void A_start_taken_from_the_weights_leaves_the_function_as_it_is(LoraInit init, bool useRslora, bool useDora)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("qwen2-tied"), new LoadOptions());
        float[] before = Hidden(model);
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { Init = init, UseRslora = useRslora, UseDora = useDora });
        GoldenTensors.AssertClose(before, Hidden(model), 2e-5, "hidden states");
    }

    [Fact]
    public void PiSSA_takes_the_largest_singular_directions_and_leaves_the_others()
    {
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { Init = LoraInit.Pissa });
        LoraLinear module = adapter.Modules[0];
        Tensor weight = model.LinearModules.First(l => l.Path == module.Target.Path).BaseWeight;
        (_, Tensor s, _) = linalg.svd(weight, false);
        float[] expected = TensorTypes.ToFloat32Array(s);
        (_, Tensor ofUpdate, _) = linalg.svd(module.B.mm(module.A).mul(module.Target.Scaling).detach(), false);
        GoldenTensors.AssertClose([.. expected.Take(4), .. Enumerable.Repeat(0f, expected.Length - 4)], TensorTypes.ToFloat32Array(ofUpdate), 1e-5, "singular values of s·BA");
        (_, Tensor ofResidual, _) = linalg.svd(weight.sub(module.B.mm(module.A).mul(module.Target.Scaling)).detach(), false);
        GoldenTensors.AssertClose([.. expected.Skip(4)], [.. TensorTypes.ToFloat32Array(ofResidual).Take(expected.Length - 4)], 1e-5, "singular values of the residual");
    }

    [Fact]
    public void OLoRA_starts_with_orthonormal_columns_of_B()
    {
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { Init = LoraInit.Olora });
        Tensor b = adapter.Modules[0].B.detach();
        GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(eye(4)), TensorTypes.ToFloat32Array(b.t().mm(b)), 1e-5, "BᵀB");
    }

    [Theory]
    [InlineData(LoraInit.Pissa, false, false)]
    [InlineData(LoraInit.Pissa, true, false)]
    [InlineData(LoraInit.Olora, false, false)]
    [InlineData(LoraInit.Pissa, true, true)]
    [InlineData(LoraInit.Olora, false, true)]
    public void What_is_saved_after_training_is_a_plain_LoRA_of_twice_the_rank_that_computes_the_same(LoraInit init, bool useRslora, bool useDora)
    {
        using TemporaryDirectory directory = new();
        LoraOptions options = Options with
        {
            Init = init, UseRslora = useRslora, UseDora = useDora, RankPattern = new Dictionary<string, int> { ["down_proj"] = 3 }, AlphaPattern = new Dictionary<string, double> { ["down_proj"] = 5 },
        };
        float[] trained, merged;
        using (CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions()))
        using (LoraAdapter adapter = LoraAdapter.Attach(model, options))
        {
            Trainer.Run(model, adapter, TinyRun.Train, null, TinyRun.Options with { MaxSteps = 3, SaveSteps = 0 }, directory.Path, new RecordingObserver());
            trained = Hidden(model);
            using Tensor weight = adapter.MergedWeight(adapter.Modules[0]);
            merged = TensorTypes.ToFloat32Array(weight);
        }

        string saved = Path.Combine(directory.Path, "adapter");
        PeftAdapterConfig config = PeftAdapterConfig.Read(saved);
        Assert.Equal(8, config.R);
        Assert.Equal(6, config.RankOf("model.layers.0.mlp.down_proj"));
        Assert.DoesNotContain("pissa", File.ReadAllText(Path.Combine(saved, PeftAdapterConfig.FileName)), StringComparison.OrdinalIgnoreCase);
        using CausalLM again = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        float[] plain = Hidden(again);
        using LoraAdapter loaded = LoraAdapter.Load(again, saved, isTrainable: false);
        Assert.True(GoldenTensors.LargestDifference(plain, trained) > 1e-3, "training moved the model");
        GoldenTensors.AssertClose(trained, Hidden(again), 2e-5, "hidden states");
        using Tensor weightAgain = loaded.MergedWeight(loaded.Modules[0]);
        GoldenTensors.AssertClose(merged, TensorTypes.ToFloat32Array(weightAgain), 1e-5, "merged weight");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_interrupted_run_ends_with_the_same_bytes(bool useDora)
    {
        byte[] Run(string output, int? cancelAt)
        {
            using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
            using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { Init = LoraInit.Pissa, UseDora = useDora, LoraDropout = 0.1 });
            using CancellationTokenSource source = new();
            RecordingObserver observer = new()
            {
                OnStep = s =>
                {
                    if (s.Step == cancelAt)
                        source.Cancel();
                },
            };
            TrainOptions options = TinyRun.Options with { MaxSteps = 5, NeftuneNoiseAlpha = 5, LabelSmoothing = 0.1 };
            TrainingResult result = Trainer.Run(model, adapter, TinyRun.Train, TinyRun.Evaluation, options, output, observer, source.Token);
            return result.OutputDirectory is null ? [] : File.ReadAllBytes(Path.Combine(result.OutputDirectory, PeftAdapterFiles.WeightsFileName));
        }

        using TemporaryDirectory one = new();
        using TemporaryDirectory two = new();
        byte[] expected = Run(one.Path, null);
        Assert.Empty(Run(two.Path, 2));
        Assert.Equal(expected, Run(two.Path, null));
    }

    [Fact]
    public void What_cannot_be_taken_from_a_weight_is_refused()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        Assert.Equal("LB0531", Assert.Throws<DiagnosticException>(() => LoraAdapter.Attach(model, Options with { Init = LoraInit.Pissa, R = 100 })).Diagnostics[0].Code);
    }

    private static float[] Hidden(CausalLM model)
    {
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([new int[] { 3, 1, 4, 1, 5, 9, 2, 6 }, new int[] { 7, 8 }]);
        using Tensor hidden = model.HiddenStates(batch);
        return TensorTypes.ToFloat32Array(hidden);
    }
}
