// A training step of a SmolLM2-135M-shaped random model, through the real trainer, beside the sgemm rate of the same process.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

internal static class TrainStepBenchmark
{
    private const int DocumentsOfStep = 4;
    private const int FixedLength = 256;

    /// <param name="isRagged">Document lengths of ragged_lengths.json in file order instead of 256 each.</param>
    /// <param name="steps">Measured steps; one more comes first and is not counted.</param>
    public static void Run(bool isRagged, int steps, int threads, TextWriter output)
    {
        set_num_threads(threads);
        int[] lengths = isRagged ? RaggedLengths()[..((steps + 1) * DocumentsOfStep)] : [.. Enumerable.Repeat(FixedLength, (steps + 1) * DocumentsOfStep)];
        DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-benchmark-");
        try
        {
            ModelShape.WriteConfig(directory.FullName);
            using CausalLM model = CausalLM.Load(directory.FullName, new LoadOptions { RandomWeights = true, Seed = 1 });
            using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = ModelShape.Rank, LoraAlpha = ModelShape.Rank, LoraDropout = 0, TargetModules = ModelShape.Adapted, Seed = 1 });
            TrainOptions options = new() { MaxSteps = steps + 1, BatchSize = DocumentsOfStep, Shuffle = false, LearningRate = 1e-4, Resume = false };
            using Observer observer = new(lengths);
            Trainer.Run(model, adapter, Documents(lengths), null, options, Path.Combine(directory.FullName, "out"), observer);
            observer.Print(isRagged ? "ragged" : "fixed, 4 × 256", threads, output);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static int[] RaggedLengths()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "ragged_lengths.json");
        return [.. JsonNode.Parse(File.ReadAllText(path))!["lengths"]!.AsArray().Select(l => (int)l!)];
    }

    private static TokenDocuments Documents(int[] lengths)
    {
        DeterministicRandom random = new(1);
        long[] offsets = new long[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            offsets[i + 1] = offsets[i] + lengths[i];
        int[] ids = [.. Enumerable.Range(0, (int)offsets[^1]).Select(_ => random.Next(ModelShape.Vocabulary))];
        return new TokenDocuments(ids, ids, offsets);
    }

    /// <summary>After each step measures sgemm, so that both see the same moment of a shared machine.</summary>
    private sealed class Observer(int[] lengths) : ITrainingObserver, IDisposable
    {
        private readonly GemmMix gemm = new(lengths.Chunk(DocumentsOfStep).Max(c => c.Sum()));
        private readonly List<(double TokensPerSecond, double Useful, double Gemm, double Seconds)> measured = [];
        private double previousGemm;
        private long peakBytes;

        public void Started(TrainingStarted started) => previousGemm = gemm.Measure(FixedLength * DocumentsOfStep / 2);

        public void Stepped(StepMetrics step)
        {
            int[] documents = lengths.AsSpan((step.Step - 1) * DocumentsOfStep, DocumentsOfStep).ToArray();
            double seconds = step.Tokens / step.TokensPerSecond;
            double gemmRate = gemm.Measure(documents.Sum());
            // The machine's speed during the step: between the measurements before and after it.
            double around = (previousGemm + gemmRate) / 2;
            if (step.Step > 1)
                measured.Add((step.TokensPerSecond, ModelShape.UsefulOperations(documents) / seconds, around, seconds));
            previousGemm = gemmRate;
            peakBytes = step.PeakMemoryBytes;
        }

        public void Print(string name, int threads, TextWriter output)
        {
            output.WriteLine("| case | threads | tokens/s (median) | s/step (median) | useful GFLOP/s | sgemm mix GFLOP/s | **useful / sgemm** (median; lowest – highest) | peak MB |");
            output.WriteLine("|---|---|---|---|---|---|---|---|");
            double[] shares = [.. measured.Select(m => m.Useful / m.Gemm).Order()];
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {name} | {threads} | {Median(measured.Select(m => m.TokensPerSecond)):F1} | {Median(measured.Select(m => m.Seconds)):F2} | {Median(measured.Select(m => m.Useful)) / 1e9:F1} | {Median(measured.Select(m => m.Gemm)) / 1e9:F1} | **{Median(shares):F2}** ({shares[0]:F2} – {shares[^1]:F2}) | {peakBytes / 1e6:F0} |"));
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

        public void Dispose() => gemm.Dispose();

        private static double Median(IEnumerable<double> values)
        {
            double[] sorted = [.. values.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }
}
