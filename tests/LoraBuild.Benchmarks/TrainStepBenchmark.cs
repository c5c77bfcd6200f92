// A training step of a random model in a known shape, through the real trainer, beside the sgemm rate of the same process.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

/// <param name="TokensPerSecond">Of the median step.</param>
/// <param name="TokensPerSecondOfAll">Tokens of all measured steps over their time: what ragged steps, whose sizes differ, are compared by.</param>
/// <param name="UsefulRate">Operations a second that a step must do.</param>
/// <param name="GemmRate">Operations a second of plain sgemm.</param>
/// <param name="Share">Median of the steps' useful rate over sgemm's beside them.</param>
internal sealed record TrainStepResult(
    double TokensPerSecond, double TokensPerSecondOfAll, double SecondsOfStep, double UsefulRate, double GemmRate, double Share, double LowestShare, double HighestShare, long PeakBytes);

internal static class TrainStepBenchmark
{
    private const int DocumentsOfStep = 4;
    private const int FixedLength = 256;

    /// <param name="isRagged">Document lengths of ragged_lengths.json in file order instead of 256 each.</param>
    /// <param name="steps">Measured steps; one more comes first and is not counted.</param>
    /// <param name="measuresGemm">Beside each step; without it the peak is the trainer's alone.</param>
    /// <param name="isWide">fp32 weights; else those of a bf16 file, as the models of these shapes are published.</param>
    /// <param name="dropoutPercent">lora_dropout.</param>
    public static TrainStepResult Run(ModelShape shape, bool isRagged, int steps, int threads, bool measuresGemm = true, bool isWide = false, int dropoutPercent = 0)
    {
        set_num_threads(threads);
        int[] lengths = isRagged ? RaggedLengths()[..((steps + 1) * DocumentsOfStep)] : [.. Enumerable.Repeat(FixedLength, (steps + 1) * DocumentsOfStep)];
        DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-benchmark-");
        try
        {
            if (isWide)
                shape.WriteConfig(directory.FullName);
            else
                GoalsBenchmark.Child(["write-model", "--shape", shape.Name, "--directory", directory.FullName]); // whose peak is not this process's
            using CausalLM model = CausalLM.Load(directory.FullName, new LoadOptions { RandomWeights = isWide, HoldsStoredType = true, Seed = 1 });
            using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = ModelShape.Rank, LoraAlpha = ModelShape.Rank, LoraDropout = dropoutPercent / 100.0, TargetModules = ModelShape.Adapted, Seed = 1 });
            TrainOptions options = new() { MaxSteps = steps + 1, BatchSize = DocumentsOfStep, Shuffle = false, LearningRate = 1e-4, Resume = false };
            using Observer observer = new(shape, lengths, measuresGemm);
            Trainer.Run(model, adapter, Documents(shape, lengths), null, options, Path.Combine(directory.FullName, "out"), observer);
            return observer.Result();
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    public static void Print(ModelShape shape, bool isRagged, int threads, TrainStepResult result, TextWriter output)
    {
        output.WriteLine("| shape | case | threads | tokens/s (median; of all) | s/step (median) | useful GFLOP/s | sgemm mix GFLOP/s | **useful / sgemm** (median; lowest – highest) | peak MB |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {shape.Name} | {(isRagged ? "ragged" : "fixed, 4 × 256")} | {threads} | {result.TokensPerSecond:F1}; {result.TokensPerSecondOfAll:F1} | {result.SecondsOfStep:F2} | {result.UsefulRate / 1e9:F1} | {result.GemmRate / 1e9:F1} | **{result.Share:F2}** ({result.LowestShare:F2} – {result.HighestShare:F2}) | {result.PeakBytes / 1e6:F0} |"));
    }

    private static int[] RaggedLengths()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "ragged_lengths.json");
        return [.. JsonNode.Parse(File.ReadAllText(path))!["lengths"]!.AsArray().Select(l => (int)l!)];
    }

    private static TokenDocuments Documents(ModelShape shape, int[] lengths)
    {
        DeterministicRandom random = new(1);
        long[] offsets = new long[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            offsets[i + 1] = offsets[i] + lengths[i];
        int[] ids = [.. Enumerable.Range(0, (int)offsets[^1]).Select(_ => random.Next(shape.Vocabulary))];
        return new TokenDocuments(ids, ids, offsets);
    }

    /// <summary>After each step measures sgemm, so that both see the same moment of a shared machine.</summary>
    private sealed class Observer(ModelShape shape, int[] lengths, bool measuresGemm) : ITrainingObserver, IDisposable
    {
        private readonly GemmMix? gemm = measuresGemm ? new(shape, lengths.Chunk(DocumentsOfStep).Max(c => c.Sum())) : null;
        private readonly List<(double TokensPerSecond, double Useful, double Gemm, double Seconds)> measured = [];
        private double previousGemm;
        private long peakBytes;

        public void Started(TrainingStarted started) => previousGemm = gemm?.Measure(FixedLength * DocumentsOfStep / 2) ?? double.NaN;

        public void Stepped(StepMetrics step)
        {
            int[] documents = lengths.AsSpan((step.Step - 1) * DocumentsOfStep, DocumentsOfStep).ToArray();
            double seconds = step.Tokens / step.TokensPerSecond;
            double gemmRate = gemm?.Measure(documents.Sum()) ?? double.NaN;
            // The machine's speed during the step: between the measurements before and after it.
            double around = (previousGemm + gemmRate) / 2;
            if (step.Step > 1)
                measured.Add((step.TokensPerSecond, shape.UsefulOperations(documents) / seconds, around, seconds));
            previousGemm = gemmRate;
            peakBytes = step.PeakMemoryBytes;
        }

        public TrainStepResult Result()
        {
            double[] shares = [.. measured.Select(m => m.Useful / m.Gemm).Order()];
            return new TrainStepResult(
                Median(measured.Select(m => m.TokensPerSecond)), measured.Sum(m => m.TokensPerSecond * m.Seconds) / measured.Sum(m => m.Seconds), Median(measured.Select(m => m.Seconds)), Median(measured.Select(m => m.Useful)), Median(measured.Select(m => m.Gemm)),
                Median(shares), shares[0], shares[^1], peakBytes);
        }

        public void Evaluated(EvaluationMetrics evaluation)
        {
        }

        public void CheckpointSaved(CheckpointSaved checkpoint)
        {
        }

        public void Finished(TrainingResult result)
        {
        }

        public void Report(Diagnostic diagnostic) => Console.Error.WriteLine(diagnostic);

        public void Dispose() => gemm?.Dispose();

        private static double Median(IEnumerable<double> values)
        {
            double[] sorted = [.. values.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }
}
