// Training steps of a model of a known shape with random weights on a device, through the real trainer: tokens a second and peak memory.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Benchmarks;

/// <summary>LoRA r = 16 on q, k, v, o; four documents a step.</summary>
internal static class DeviceStepBenchmark
{
    private const int DocumentsOfStep = 4;
    private const int UncountedSteps = 3;

    /// <returns>2: there is no such shape or device.</returns>
    public static int Run(string shape, string place, string type, bool isRagged, int length, int steps, TextWriter output, TextWriter errors)
    {
        if (ConfigOf(shape) is not { } config)
        {
            errors.WriteLine($"no shape '{shape}'; qwen2.5-0.5b, qwen2.5-7b, llama-3.1-8b are known");
            return 2;
        }

        if (place.StartsWith("cuda", StringComparison.Ordinal) && !cuda_is_available())
        {
            errors.WriteLine("libtorch finds no CUDA device");
            return 2;
        }

        Device target = device(place);
        ScalarType dtype = type == "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;
        int[] ragged = [.. JsonNode.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "ragged_lengths.json")))!["lengths"]!.AsArray().Select(l => (int)l!)];
        int[] lengths = [.. Enumerable.Range(0, (steps + UncountedSteps) * DocumentsOfStep).Select(i => isRagged ? ragged[i % ragged.Length] : length)];
        DirectoryInfo directory = Directory.CreateTempSubdirectory("lorabuild-benchmark-");
        try
        {
            File.WriteAllText(Path.Combine(directory.FullName, "config.json"), config.ToJsonString());
            using CausalLM model = CausalLM.Load(directory.FullName, new LoadOptions { RandomWeights = true, DrawOnDevice = true, Device = target, Dtype = dtype });
            using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 16, LoraAlpha = 16, LoraDropout = 0, TargetModules = ["q_proj", "k_proj", "v_proj", "o_proj"], Seed = 1 });
            TrainOptions options = new() { MaxSteps = steps + UncountedSteps, BatchSize = DocumentsOfStep, Shuffle = false, LearningRate = 1e-4, Resume = false };
            Observer observer = new();
            Trainer.Run(model, adapter, Documents(lengths, model.VocabSize), null, options, Path.Combine(directory.FullName, "out"), observer);
            double[] rates = [.. observer.Rates.Skip(UncountedSteps).Order()];
            output.WriteLine("| shape | device | type | documents | tokens/s (median; lowest – highest) | peak MB |");
            output.WriteLine("|---|---|---|---|---|---|");
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {shape} | {place} | {type} | {(isRagged ? "4, ragged" : $"4 × {length}")} | {rates[rates.Length / 2]:F0} ({rates[0]:F0} – {rates[^1]:F0}) | {observer.PeakBytes / 1e6:F0} |"));
            return 0;
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

    // As the models' own config.json files have them.
    private static JsonObject? ConfigOf(string shape) => shape switch
    {
        "qwen2.5-0.5b" => Config("qwen2", 896, 4864, 24, 14, 2, 151936, 1e-6, 1e6, isTied: true),
        "qwen2.5-7b" => Config("qwen2", 3584, 18944, 28, 28, 4, 152064, 1e-6, 1e6, isTied: false),
        "llama-3.1-8b" => Config("llama", 4096, 14336, 32, 32, 8, 128256, 1e-5, 5e5, isTied: false),
        _ => null,
    };

    private static JsonObject Config(string family, int hidden, int intermediate, int layers, int heads, int keyValueHeads, int vocabulary, double eps, double theta, bool isTied) => new()
    {
        ["architectures"] = new JsonArray(family == "qwen2" ? "Qwen2ForCausalLM" : "LlamaForCausalLM"),
        ["model_type"] = family,
        ["hidden_size"] = hidden,
        ["intermediate_size"] = intermediate,
        ["num_hidden_layers"] = layers,
        ["num_attention_heads"] = heads,
        ["num_key_value_heads"] = keyValueHeads,
        ["vocab_size"] = vocabulary,
        ["max_position_embeddings"] = 32768,
        ["rms_norm_eps"] = eps,
        ["rope_theta"] = theta,
        ["hidden_act"] = "silu",
        ["tie_word_embeddings"] = isTied,
        ["torch_dtype"] = "bfloat16",
    };

    private sealed class Observer : ITrainingObserver
    {
        public List<double> Rates { get; } = [];

        public long PeakBytes { get; private set; }

        public void Started(TrainingStarted started)
        {
        }

        public void Stepped(StepMetrics step)
        {
            Rates.Add(step.TokensPerSecond);
            PeakBytes = step.PeakMemoryBytes;
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
