// Single rows of the embedding, trained beside an adapter.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class TrainedTokenRowsTests
{
    private static readonly LoraOptions Options = new() { R = 2, LoraAlpha = 4, TargetModules = ["q_proj"], TrainableTokenIndices = [3, 17, 40], Seed = 3 };
    private static readonly int[] Text = [3, 1, 40, 1, 5, 17, 2, 6];

    [Theory]
    [InlineData("llama-tied")]
    [InlineData("llama-untied-rope3")]
    public void Rows_are_trained_saved_read_again_and_merged(string name)
    {
        using TemporaryDirectory output = new();
        float[] before, trained;
        using (CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions()))
        {
            before = Logits(model);
            using LoraAdapter adapter = LoraAdapter.Attach(model, Options);
            GoldenTensors.AssertClose(before, Logits(model), 0, "a fresh adapter");
            Trainer.Run(model, adapter, Documents.Random(8, 6, 14, 60, seed: 1), null, TinyRun.Options with { MaxSteps = 4 }, output.Path, new RecordingObserver());
            trained = Logits(model);
            Assert.True(GoldenTensors.LargestDifference(before, trained) > 1e-3);
            adapter.IsEnabled = false;
            GoldenTensors.AssertClose(before, Logits(model), 0, "switched off");
        }

        string saved = Path.Combine(output.Path, "adapter");
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(saved, PeftAdapterFiles.WeightsFileName)))
            Assert.Equal(3, file.Tensors["base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta"].Shape[0]);
        using (CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions()))
        using (LoraAdapter.Load(model, saved, isTrainable: false))
            GoldenTensors.AssertClose(trained, Logits(model), 1e-5, "read again");
        string merged = Path.Combine(output.Path, "merged");
        AdapterMerger.Merge(Golden.Model(name), saved, merged, new MergeOptions { Dtype = TensorDtype.F32 });
        using CausalLM mergedModel = CausalLM.Load(merged, new LoadOptions());
        GoldenTensors.AssertClose(trained, Logits(mergedModel), 2e-5, "merged");
    }

    /// <summary>The same run in full fine-tuning: the rows' gradients are the rows of the embedding's gradient, through look-ups and a tied head.</summary>
    [Theory]
    [InlineData("llama-tied")]
    [InlineData("llama-untied-rope3")]
    public void Rows_get_the_gradient_that_the_whole_matrix_would_get(string name)
    {
        int width;
        float[] expected, actual;
        TokenDocuments documents = Documents.WithLabels((Text, Text));
        using (CausalLM full = CausalLM.Load(Golden.Model(name), new LoadOptions { RequiresGrad = true }))
        {
            width = full.HiddenSize;
            Backward(full, documents);
            using Tensor gradient = full.Embedding.BaseMatrix.Plain!.grad!;
            expected = TensorTypes.ToFloat32Array(gradient);
        }

        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options);
        Backward(model, documents);
        using Tensor rows = adapter.Parameters().Single(p => p.Name.Contains("trainable_tokens", StringComparison.Ordinal)).Value.grad!;
        actual = TensorTypes.ToFloat32Array(rows);
        GoldenTensors.AssertClose([.. new[] { 3, 17, 40 }.SelectMany(t => expected.Skip(t * width).Take(width))], actual, 1e-5, "rows");
    }

    [Fact]
    public void An_interrupted_run_ends_with_the_same_bytes()
    {
        byte[] Run(string output, int? cancelAt)
        {
            using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
            using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { LoraDropout = 0.1 });
            using CancellationTokenSource source = new();
            RecordingObserver observer = new()
            {
                OnStep = s =>
                {
                    if (s.Step == cancelAt)
                        source.Cancel();
                },
            };
            TrainingResult result = Trainer.Run(model, adapter, TinyRun.Train, TinyRun.Evaluation, TinyRun.Options with { MaxSteps = 5 }, output, observer, source.Token);
            return result.OutputDirectory is null ? [] : File.ReadAllBytes(Path.Combine(result.OutputDirectory, PeftAdapterFiles.WeightsFileName));
        }

        using TemporaryDirectory one = new();
        using TemporaryDirectory two = new();
        byte[] expected = Run(one.Path, null);
        Assert.Empty(Run(two.Path, 2));
        Assert.Equal(expected, Run(two.Path, null));
    }

    [Fact]
    public void Tokens_that_do_not_exist_or_are_trained_twice_are_refused()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        void Refuses(string code, LoraOptions options) => Assert.Equal(code, Assert.Throws<DiagnosticException>(() => LoraAdapter.Attach(model, options)).Diagnostics[0].Code);
        Refuses("LB0522", Options with { TrainableTokenIndices = [3, 3] });
        Refuses("LB0522", Options with { TrainableTokenIndices = [100_000] });
        Refuses("LB0524", Options with { ModulesToSave = ["embed_tokens"] });
        Refuses("LB0524", Options with { TargetModules = ["q_proj", "lm_head"] });
    }

    private static void Backward(CausalLM model, TokenDocuments documents)
    {
        MicroBatch batch = MicroBatch.Create(documents, [0]);
        using PackedBatch packed = batch.ToPacked(model.Device);
        using Tensor hidden = model.HiddenStates(packed);
        CausalLMLoss.Backward(model, hidden, batch, 1);
    }

    private static float[] Logits(CausalLM model)
    {
        using var noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([Text]);
        using Tensor hidden = model.HiddenStates(batch);
        using Tensor logits = model.Logits(hidden);
        return TensorTypes.ToFloat32Array(logits);
    }
}
