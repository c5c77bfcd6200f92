// Training steps of a model of a known shape with random weights on a device, through the real trainer: tokens a second and peak memory.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Training;
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
using LoraBuild.Torch.Native;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

/// <summary>What is timed.</summary>
/// <param name="Shape">One of <see cref="DeviceShape.Names"/>.</param>
/// <param name="Device">cpu, cuda, cuda:N.</param>
/// <param name="Dtype">bfloat16 or float32: the arithmetic.</param>
/// <param name="Weights">plain, nf4 (double quantisation), int8.</param>
/// <param name="Documents">Of a step.</param>
/// <param name="Length">Tokens of each; 0: the lengths of ragged_lengths.json, one after the other.</param>
/// <param name="BufferMegabytes">How much of a compressed weight is decoded at once on a CUDA device; null: the kernels' own choice.</param>
internal sealed record DeviceStepCase(string Shape, string Device, string Dtype, string Weights, int Documents, int Length, int Steps, int? BufferMegabytes);

/// <summary>One line of the result; what the same run of another program is compared by.</summary>
/// <param name="Tokens">Of all counted steps.</param>
/// <param name="Seconds">From the end of the last uncounted step to the end of the last one.</param>
/// <param name="StepSeconds">Median of a step.</param>
/// <param name="PeakBytes">The most in tensors on the device since the model was there; on a processor the process's peak.</param>
/// <param name="ModelBytes">In tensors before the first step.</param>
/// <param name="Loss">Of the last step: ln of the vocabulary where weights are random.</param>
internal sealed record DeviceStepResult(
    string Program, string Library, string Shape, string Device, string Dtype, string Weights, int Documents, int Length, int Steps, long Tokens, double Seconds, double TokensPerSecond, double StepSeconds, long PeakBytes, long ModelBytes, double Loss);

/// <summary>LoRA r = 16 on q, k, v, o, without dropout; every token a target; AdamW.</summary>
internal static class DeviceStepBenchmark
{
    private const int UncountedSteps = 5;

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <returns>2: there is no such shape, kind of weights or device.</returns>
    public static int Run(DeviceStepCase asked, bool isJson, TextWriter output, TextWriter errors)
    {
        string? mistake = DeviceShape.ConfigOf(asked.Shape) is null ? $"no shape '{asked.Shape}'; {DeviceShape.Names} are known"
            : asked.Weights is not ("plain" or "nf4" or "int8") ? $"no weights '{asked.Weights}'; plain, nf4, int8 are known"
            : asked.Device.StartsWith("cuda", StringComparison.Ordinal) && !cuda_is_available() ? "libtorch finds no CUDA device"
            : null;
        if (mistake is not null)
        {
            errors.WriteLine(mistake);
            return 2;
        }

        DeviceStepResult result = Measure(asked);
        if (isJson)
        {
            output.WriteLine(JsonSerializer.Serialize(result, Json));
            return 0;
        }

        output.WriteLine("| shape | device | type | weights | documents | tokens/s | ms a step (median) | peak MB | of it the model |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {asked.Shape} | {asked.Device} | {asked.Dtype} | {asked.Weights} | {asked.Documents}{(asked.Length == 0 ? ", ragged" : $" × {asked.Length}")} | {result.TokensPerSecond:F0} | {result.StepSeconds * 1000:F1} | {result.PeakBytes / 1e6:F0} | {result.ModelBytes / 1e6:F0} |"));
        return 0;
    }

    public static DeviceStepResult Measure(DeviceStepCase asked)
    {
        Device target = device(asked.Device);
        ScalarType dtype = asked.Dtype == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;
#if NATIVE_KERNELS
        string library = $"libtorch {NativeRuntime.LibtorchVersion}";
        if (asked.BufferMegabytes is int megabytes && CudaKernels.AreBuilt)
            FrozenOnDevice.SetBuffer(((long)megabytes << 20) / (dtype == ScalarType.BFloat16 ? 2 : 4));
#else
        const string library = "TorchSharp";
#endif
        int[] ragged = [.. JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "ragged_lengths.json")))!["lengths"]!.AsArray().Select(l => (int)l!)];
        int[] lengths = [.. Enumerable.Range(0, (asked.Steps + UncountedSteps) * asked.Documents).Select(i => asked.Length == 0 ? ragged[i % ragged.Length] : asked.Length)];
        DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-benchmark-");
        try
        {
            File.WriteAllText(Path.Combine(directory.FullName, "config.json"), DeviceShape.ConfigOf(asked.Shape)!.ToJsonString());
            QuantizationOptions? quantization = asked.Weights == "plain" ? null : new QuantizationOptions { Code = asked.Weights == "nf4" ? WeightCode.Nf4 : WeightCode.Int8, ComputeType = dtype };
            using CausalLM model = CausalLM.Load(directory.FullName, new LoadOptions { RandomWeights = true, DrawOnDevice = true, Device = target, Dtype = dtype, Quantization = quantization });
            using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 16, LoraAlpha = 16, LoraDropout = 0, TargetModules = ["q_proj", "k_proj", "v_proj", "o_proj"], Seed = 1 });
            TrainOptions options = new() { MaxSteps = asked.Steps + UncountedSteps, BatchSize = asked.Documents, Shuffle = false, LearningRate = 1e-4, Resume = false };
            long modelBytes = 0;
#if NATIVE_KERNELS
            DeviceMemory.ResetPeak(target); // drawing the weights took more for a moment
            modelBytes = DeviceMemory.Of(target)?.AllocatedBytes ?? 0;
#endif
            Observer observer = new();
            Trainer.Run(model, adapter, Documents(lengths, model.VocabSize), null, options, Path.Combine(directory.FullName, "out"), observer);
            double[] seconds = [.. observer.Ends.Skip(UncountedSteps).Select((end, i) => Stopwatch.GetElapsedTime(observer.Ends[UncountedSteps - 1 + i], end).TotalSeconds).Order()];
            double total = Stopwatch.GetElapsedTime(observer.Ends[UncountedSteps - 1], observer.Ends[^1]).TotalSeconds;
            long tokens = lengths.Skip(UncountedSteps * asked.Documents).Sum(l => (long)l);
            return new DeviceStepResult(
                "lorabuild", library, asked.Shape, asked.Device, asked.Dtype, asked.Weights, asked.Documents, asked.Length, asked.Steps, tokens, total, tokens / total,
                seconds[seconds.Length / 2], observer.Last!.PeakMemoryBytes, modelBytes, observer.Last.Loss);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static TokenDocuments Documents(int[] lengths, int vocabulary)
    {
        DeterministicRandom random = new(1);
        long[] offsets = new long[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
            offsets[i + 1] = offsets[i] + lengths[i];
        int[] ids = [.. Enumerable.Range(0, (int)offsets[^1]).Select(_ => random.Next(vocabulary))];
        return new TokenDocuments(ids, ids, offsets);
    }

    private sealed class Observer : ITrainingObserver
    {
        /// <summary>When each step was done, as <see cref="Stopwatch"/> counts. The device has its gradients by then; the update of the adapter falls into the next step.</summary>
        public List<long> Ends { get; } = [];

        public StepMetrics? Last { get; private set; }

        public void Started(TrainingStarted started)
        {
        }

        public void Stepped(StepMetrics step)
        {
            Ends.Add(Stopwatch.GetTimestamp());
            Last = step;
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
    }
}
