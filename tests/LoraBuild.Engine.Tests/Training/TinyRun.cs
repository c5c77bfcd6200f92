// A small model with an adapter and data, made anew for every run.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

internal static class TinyRun
{
    public const int VocabSize = 250; // of the model below

    public static TrainOptions Options { get; } = new()
    {
        Seed = 7,
        NumTrainEpochs = 2,
        BatchSize = 2,
        AccumulationSteps = 2,
        LearningRate = 2e-3,
        WarmupSteps = 2,
        WeightDecay = 0.01,
        EvalSteps = 2,
        SaveSteps = 3,
        SaveTotalLimit = 2,
        LoadBestModelAtEnd = true,
    };

    public static TokenDocuments Train { get; } = Documents.Random(15, 3, 14, VocabSize, seed: 1); // 8 micro-batches, 4 steps a pass

    public static TokenDocuments Evaluation { get; } = Documents.Random(4, 3, 14, VocabSize, seed: 2);

    public static TrainingResult Run(
        string output, TrainOptions options, RecordingObserver observer, double dropout = 0.1, bool hasEvaluation = true, CancellationToken cancellation = default)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = dropout, TargetModules = ["q_proj", "v_proj"], Seed = 3 });
        return Trainer.Run(model, adapter, Train, hasEvaluation ? Evaluation : null, options, output, observer, cancellation);
    }

    public static TrainingResult RunFull(string output, TrainOptions options, RecordingObserver observer, CancellationToken cancellation = default)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { RequiresGrad = true });
        return Trainer.Run(model, null, Train, Evaluation, options, output, observer, cancellation);
    }

    /// <summary>Every file of the result by name.</summary>
    public static Dictionary<string, byte[]> Files(string directory) =>
        Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).ToDictionary(f => Path.GetRelativePath(directory, f), File.ReadAllBytes);
}
