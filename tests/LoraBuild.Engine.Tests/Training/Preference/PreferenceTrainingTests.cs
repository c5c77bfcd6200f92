// Preference training through the trainer: its start, its gradient, what it learns, and what it refuses.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Preference;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training.Preference;

public sealed class PreferenceTrainingTests
{
    private static readonly TrainOptions Options = TinyRun.Options with { MaxSteps = 6, LoadBestModelAtEnd = false };

    public static TheoryData<PreferenceLossKind> Kinds() => [.. Enum.GetValues<PreferenceLossKind>()];

    [Fact]
    public void DPO_with_an_untouched_adapter_has_the_loss_ln_2_in_training_and_evaluation()
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        Run(output.Path, new(), observer, Options with { LearningRate = 1e-12 });
        Assert.All(observer.Steps, s => Assert.Equal(Math.Log(2), s.Loss, 1e-6));
        Assert.All(observer.Evaluations, e => Assert.Equal(Math.Log(2), e.Loss, 1e-6));
        Assert.Equal(0, observer.Steps[0].Preference!.Margin, 1e-6);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Training_lowers_the_loss_and_prefers_the_better_answers(PreferenceLossKind kind)
    {
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        Run(output.Path, new() { Loss = kind, Beta = kind == PreferenceLossKind.SimPo ? 2 : 0.3 }, observer, Options with { MaxSteps = 24, LearningRate = 1e-2, WarmupSteps = 0 });
        Assert.True(observer.Steps[^1].Loss < observer.Steps[0].Loss, $"{observer.Steps[0].Loss} → {observer.Steps[^1].Loss}");
        Assert.True(observer.Steps[^1].Preference!.Accuracy > 0.9, $"accuracy {observer.Steps[^1].Preference!.Accuracy}");
        JsonNode last = JsonNode.Parse(File.ReadLines(Path.Combine(output.Path, "metrics.jsonl")).Last(l => l.Contains("grad_norm", StringComparison.Ordinal)))!;
        Assert.Equal(observer.Steps[^1].Preference!.Margin, (double)last["rewards/margins"]!);
    }

    /// <summary>The whole computation by plain autograd over full logits, with the reference from the model without adapter.</summary>
    [Fact]
    public void The_gradient_of_DPO_is_that_of_plain_autograd()
    {
        using DisposeScope scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Load(model, Path.Combine(Golden.Lora("llama-tied-embed-head-r4-untied"), "adapter_final"), isTrainable: true);
        TokenDocuments pairs = Pairs(3, seed: 5);
        const double beta = 0.4;

        Tensor[] Sums()
        {
            return [.. Enumerable.Range(0, pairs.Count).Select(d =>
            {
                MicroBatch one = MicroBatch.Create(pairs, [d]);
                Tensor logits = model.Logits(model.HiddenStates(one.ToPacked(CPU)));
                return logits.index_select(0, tensor(one.TargetPositions)).log_softmax(1).gather(1, tensor(one.TargetIds).unsqueeze(1)).sum();
            })];
        }

        Tensor[] policy = Sums();
        adapter.IsEnabled = false;
        double[] reference = [.. Sums().Select(s => (double)s.item<float>())];
        adapter.IsEnabled = true;
        Tensor loss = zeros(1);
        for (int p = 0; p < 3; p++)
        {
            Tensor h = policy[2 * p].sub(policy[(2 * p) + 1]).sub(reference[2 * p] - reference[(2 * p) + 1]).mul(beta);
            loss = loss.sub(h.sigmoid().log().div(3));
        }

        loss.backward();
        Dictionary<string, float[]> expected = Take(model);

        PreferenceObjective objective = new(model, adapter, pairs, null, new PreferenceOptions { Beta = beta });
        MicroBatch batch = objective.Batch([2, 0, 1]);
        Assert.Equal(3, objective.ItemsOf(batch));
        Assert.Equal(loss.item<float>(), objective.Backward(batch, 3), 1e-5);
        foreach ((string name, float[] values) in Take(model))
            GoldenTensors.AssertClose(expected[name], values, 2e-5, name);
        Assert.True(adapter.IsEnabled);
    }

    [Fact]
    public void An_interrupted_run_ends_with_the_same_bytes()
    {
        using TemporaryDirectory one = new();
        using TemporaryDirectory two = new();
        Run(one.Path, new(), new RecordingObserver(), Options, dropout: 0.1);
        using CancellationTokenSource source = new();
        RecordingObserver cancelling = new()
        {
            OnStep = s =>
            {
                if (s.Step == 2)
                    source.Cancel();
            },
        };
        Assert.Equal(TrainingOutcome.Cancelled, Run(two.Path, new(), cancelling, Options, dropout: 0.1, source.Token).Outcome);
        RecordingObserver resumed = new();
        Run(two.Path, new(), resumed, Options, dropout: 0.1);
        Assert.Equal(3, resumed.Steps[0].Step);
        Assert.Equal(TinyRun.Files(Path.Combine(one.Path, "adapter")), TinyRun.Files(Path.Combine(two.Path, "adapter")));
    }

    [Fact]
    public void What_has_no_reference_or_no_answer_is_refused()
    {
        using TemporaryDirectory output = new();
        using CausalLM full = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { RequiresGrad = true });
        Refuses("LB0612", () => Trainer.Run(full, null, Pairs(4, 1), null, Options, output.Path, new RecordingObserver()));
        TokenDocuments masked = Pairs(4, 1);
        Array.Fill(masked.Labels, LabelShift.Ignored, (int)masked.Offsets[3], (int)(masked.Offsets[4] - masked.Offsets[3]));
        Refuses("LB0613", () => Trainer.Run(full, null, masked, null, Options with { Preference = new() { Loss = PreferenceLossKind.Orpo } }, output.Path, new RecordingObserver()));
        Refuses("LB0612", () => Trainer.Run(full, null, Pairs(4, 1), TinyRun.Evaluation, Options with { Preference = new() { Loss = PreferenceLossKind.Orpo } }, output.Path, new RecordingObserver()));

        static void Refuses(string code, Action run) => Assert.Equal(code, Assert.Throws<DiagnosticException>(run).Diagnostics[0].Code);
    }

    private static TrainingResult Run(string output, PreferenceOptions preference, RecordingObserver observer, TrainOptions options, double dropout = 0, CancellationToken cancellation = default)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = dropout, TargetModules = ["q_proj", "v_proj", "o_proj"], Seed = 3 });
        return Trainer.Run(model, adapter, Pairs(8, 1), Pairs(3, 2), options with { Preference = preference }, output, observer, cancellation);
    }

    /// <summary>Prompts of four tokens; better answers are made of low ids, worse ones of high ids.</summary>
    private static TokenDocuments Pairs(int count, ulong seed)
    {
        DeterministicRandom random = new(seed);
        List<(int[], int[])> documents = [];
        for (int i = 0; i < count; i++)
        {
            int[] prompt = [.. Enumerable.Range(0, 4).Select(_ => random.Next(TinyRun.VocabSize))];
            foreach (int offset in new[] { 0, 125 })
            {
                int[] answer = [.. Enumerable.Range(0, 2 + random.Next(4)).Select(_ => offset + random.Next(20))];
                documents.Add(([.. prompt, .. answer], [.. Enumerable.Repeat(LabelShift.Ignored, 4), .. answer]));
            }
        }

        return Documents.WithLabels([.. documents]) with { IsPairs = true };
    }

    private static Dictionary<string, float[]> Take(CausalLM model)
    {
        using DisposeScope scope = NewDisposeScope();
        Dictionary<string, float[]> gradients = [];
        foreach ((string name, Tensor value) in model.TrainableParameters())
        {
            Tensor gradient = value.grad!;
            gradients[name] = TensorTypes.ToFloat32Array(gradient);
            gradient.zero_();
        }

        return gradients;
    }
}
