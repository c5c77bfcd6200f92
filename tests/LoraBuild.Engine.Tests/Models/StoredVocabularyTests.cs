// Embedding and head in the narrow type of their file: the same model as with widened ones, through everything that reads them.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

/// <summary>Beside weights that are quantised to the same codes only embedding and head differ between a file in bf16 or fp16 and its widened copy.</summary>
public sealed class StoredVocabularyTests : IDisposable
{
    private static readonly LoadOptions Quantized = new() { Quantization = new QuantizationOptions() };
    private static readonly int[] Text = [5, 17, 3, 60, 42, 9, 3, 3, 0];

    private readonly List<TemporaryDirectory> directories = [];

    public static TheoryData<string, TensorDtype> Models() => new()
    {
        { "llama-tied", TensorDtype.BF16 },
        { "llama-untied-rope3", TensorDtype.BF16 },
        { "llama-tied", TensorDtype.F16 },
        { "gemma3-text", TensorDtype.BF16 }, // scales its embedding, has a padding row and a cap
    };

    public void Dispose() => directories.ForEach(d => d.Dispose());

    [Theory]
    [MemberData(nameof(Models))]
    public void Beside_quantised_weights_and_on_request_they_stay_as_the_file_has_them(string name, TensorDtype dtype)
    {
        (string narrow, string wide) = Files(name, dtype);
        foreach (LoadOptions options in new[] { Quantized, new LoadOptions { HoldsStoredType = true } })
        {
            using CausalLM model = CausalLM.Load(narrow, options);
            StoredWeight embedding = Assert.IsType<StoredWeight>(model.Embedding.BaseMatrix.Frozen), head = Assert.IsType<StoredWeight>(model.Head.BaseMatrix.Frozen);
            Assert.Equal(model.Spec.IsHeadTied, ReferenceEquals(embedding, head));
            Assert.Equal(2L * model.VocabSize * model.HiddenSize, embedding.ByteCount);
            Assert.Equal(ScalarType.Float32, model.Dtype);
            using CausalLM plain = CausalLM.Load(wide, options);
            Assert.NotNull(plain.Embedding.BaseMatrix.Plain);
            Assert.Equal(plain.ParameterCount, model.ParameterCount);
        }
    }

    [Fact]
    public void Trained_weights_and_those_of_narrow_arithmetic_are_tensors()
    {
        (string narrow, _) = Files("llama-tied", TensorDtype.BF16);
        foreach (LoadOptions options in new[] { new LoadOptions(), new LoadOptions { HoldsStoredType = true, RequiresGrad = true }, new LoadOptions { HoldsStoredType = true, Dtype = ScalarType.BFloat16 } })
        {
            using CausalLM model = CausalLM.Load(narrow, options);
            Assert.Equal(model.Dtype, model.Embedding.BaseMatrix.Plain!.dtype);
            Assert.Equal(model.Dtype, model.Head.BaseMatrix.Plain!.dtype);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Hidden_states_have_the_bits_of_a_widened_embedding_and_logits_are_its_own(string name, TensorDtype dtype)
    {
        (string narrow, string wide) = Files(name, dtype);
        using CausalLM stored = CausalLM.Load(narrow, Quantized), plain = CausalLM.Load(wide, Quantized);
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([Text]);
        (Tensor expected, Tensor actual) = (plain.HiddenStates(batch), stored.HiddenStates(batch));
        Assert.Equal(TensorTypes.ToFloat32Array(expected), TensorTypes.ToFloat32Array(actual));
        GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(plain.Logits(expected)), TensorTypes.ToFloat32Array(stored.Logits(actual)), 1e-5, "logits");
        GenerationOptions generation = new() { MaxNewTokens = 8 };
        Assert.Equal(TextGenerator.Generate(plain, Text, generation), TextGenerator.Generate(stored, Text, generation));
        MicroBatch targets = MicroBatch.Create(Documents.Of(Text), [0]);
        GoldenTensors.AssertClose(CausalLMLoss.LogProbabilities(plain, expected, targets), CausalLMLoss.LogProbabilities(stored, actual, targets), 1e-5, "log probabilities");
    }

    public static TheoryData<string, LoraOptions> Adapters() => new()
    {
        { "llama-tied", new LoraOptions { R = 4, TargetModules = ["q_proj", "down_proj"], Seed = 1 } },
        { "llama-untied-rope3", new LoraOptions { R = 4, TargetModules = ["q_proj"], ModulesToSave = ["embed_tokens", "lm_head"], Seed = 1 } },
        { "llama-tied", new LoraOptions { R = 4, TargetModules = ["q_proj"], ModulesToSave = ["embed_tokens", "lm_head"], EnsureWeightTying = true, Seed = 1 } },
        { "llama-untied-rope3", new LoraOptions { R = 4, LoraDropout = 0, TargetModules = ["q_proj", "lm_head"], Seed = 1 } },
        { "llama-untied-rope3", new LoraOptions { R = 4, LoraDropout = 0, TargetModules = ["q_proj", "lm_head"], UseDora = true, Seed = 1 } },
        { "llama-untied-rope3", new LoraOptions { R = 4, LoraDropout = 0, TargetModules = ["lm_head"], Init = LoraInit.Olora, Seed = 1 } },
        { "llama-tied", new LoraOptions { R = 4, TargetModules = ["q_proj"], TrainableTokenIndices = [3, 17, 60], Seed = 1 } },
        { "llama-untied-rope3", new LoraOptions { R = 4, TargetModules = ["q_proj"], TrainableTokenIndices = [3, 17, 60], Seed = 1 } },
    };

    [Theory]
    [MemberData(nameof(Adapters))]
    public void Training_evaluating_and_reading_an_adapter_again_give_what_they_give_on_widened_ones(string name, LoraOptions options)
    {
        (string narrow, string wide) = Files(name, TensorDtype.BF16);
        (double[] Losses, float[] Logits, float[] Again) expected = Run(wide), actual = Run(narrow);
        for (int i = 0; i < expected.Losses.Length; i++)
            Assert.Equal(expected.Losses[i], actual.Losses[i], 2e-5);
        GoldenTensors.AssertClose(expected.Logits, actual.Logits, 2e-4, "logits after training");
        GoldenTensors.AssertClose(actual.Logits, actual.Again, 2e-5, "logits of the saved adapter");

        (double[], float[], float[]) Run(string directory)
        {
            using TemporaryDirectory output = new();
            RecordingObserver observer = new();
            float[] trained;
            using (CausalLM model = CausalLM.Load(directory, Quantized))
            using (LoraAdapter adapter = LoraAdapter.Attach(model, options))
            {
                Trainer.Run(model, adapter, Documents.Random(8, 6, 14, 100, seed: 1), Documents.Random(3, 6, 14, 100, seed: 2), TinyRun.Options with { MaxSteps = 4, LoadBestModelAtEnd = false }, output.Path, observer);
                trained = Logits(model);
            }

            using CausalLM fresh = CausalLM.Load(directory, Quantized);
            using LoraAdapter read = LoraAdapter.Load(fresh, Path.Combine(output.Path, "adapter"), isTrainable: false);
            return ([.. observer.Steps.Select(s => s.Loss), .. observer.Evaluations.Select(e => e.Loss)], trained, Logits(fresh));
        }
    }

    private static float[] Logits(CausalLM model)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        using PackedBatch batch = PackedBatch.FromDocuments([Text]);
        return TensorTypes.ToFloat32Array(model.Logits(model.HiddenStates(batch)));
    }

    /// <summary>A golden model rounded to a narrow type, and the same numbers in fp32.</summary>
    private (string Narrow, string Wide) Files(string name, TensorDtype dtype)
    {
        TemporaryDirectory narrow = Golden.CopyOfModel(name), wide = Golden.CopyOfModel(name);
        directories.AddRange([narrow, wide]);
        using DisposeScope scope = NewDisposeScope();
        using ModelFiles files = ModelFiles.Open(Golden.Model(name));
        Dictionary<string, Tensor> rounded = files.Tensors.ToDictionary(t => t.Key, t => tensor(files.ReadFloat32(t.Key), t.Value.Shape).to_type(TensorTypes.ScalarTypeOf(dtype)));
        foreach ((TemporaryDirectory directory, TensorDtype type) in new[] { (narrow, dtype), (wide, TensorDtype.F32) })
            SafetensorsWriter.Write(Path.Combine(directory.Path, ModelFiles.SingleFileName), [.. rounded.Select(t => TensorTypes.ToWrite(t.Key, t.Value, type))]);
        return (narrow.Path, wide.Path);
    }
}
