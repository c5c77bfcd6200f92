// What was exported and read again is the model that it was made from, in every family and type, within what the type rounds.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Export;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Export;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Evaluation;

public sealed class GgufGateTests
{
    public static TheoryData<string> Models() => [.. GgufModels.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Weights_come_back_from_the_file_under_their_names_and_in_their_order(string name)
    {
        using TemporaryDirectory model = GgufModels.Materialise(name);
        AssertComesBack(model);
    }

    [Theory]
    [InlineData("models/olmo2")]
    [InlineData("models/granite")]
    [InlineData("families/gemma")]
    [InlineData("families/seed-oss")]
    [InlineData("families/phi4-mini")]
    public void So_do_those_of_the_other_families(string golden)
    {
        using TemporaryDirectory model = FamilyExportTests.Copy(golden);
        AssertComesBack(model);
    }

    private static void AssertComesBack(TemporaryDirectory model)
    {
        string file = Export(model.Path, "f32");
        using CausalLM original = CausalLM.Load(model.Path, new LoadOptions());
        using CausalLM read = GgufModel.Load(model.Path, file, new LoadOptions());
        Assert.Equal(original.NamedParameters().Select(p => p.Name), read.NamedParameters().Select(p => p.Name));
        foreach (((string parameter, Tensor a), (_, Tensor b)) in original.NamedParameters().Zip(read.NamedParameters()))
        {
            // Gemma's norms went through 1 + w, which rounds w to 24 bits below 1.
            double tolerance = original.Spec.HasUnitOffsetNorm && parameter.EndsWith("norm.weight", StringComparison.Ordinal) ? 1.2e-7 : 0;
            GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(a), TensorTypes.ToFloat32Array(b), tolerance, parameter);
        }
    }

    [Theory]
    [InlineData("llama-tied", "f16", 1e-3)]
    [InlineData("llama-tied", "bf16", 1e-2)]
    [InlineData("llama-tied", "q8_0", 1e-2)]
    [InlineData("qwen3", "q5_0", 0.1)]
    [InlineData("gemma2", "q6_k", 0.05)]
    [InlineData("qwen3", "q4_k_m", 0.2)]
    public void The_perplexity_of_a_type_is_near_the_models(string name, string type, double tolerance)
    {
        using TemporaryDirectory model = GgufModels.Materialise(name);
        string file = Export(model.Path, type);
        TokenDocuments documents = HeldOut(model.Path, out EvaluationResult merged);
        EvaluationResult result = GgufGate.Check(model.Path, file, type, documents, merged, tolerance, new LoadOptions());
        Assert.Equal(merged.Tokens, result.Tokens);
        Assert.True(merged.Loss != result.Loss || type is "f16" or "bf16"); // which may hold the stored weights exactly
        Assert.InRange(result.Perplexity / merged.Perplexity, 1 - tolerance, 1 + tolerance);
    }

    [Fact]
    public void A_perplexity_above_the_bound_fails_with_both_figures()
    {
        using TemporaryDirectory model = GgufModels.Materialise("llama-tied");
        string file = Export(model.Path, "f16");
        TokenDocuments documents = HeldOut(model.Path, out EvaluationResult merged);
        EvaluationResult better = merged with { Perplexity = merged.Perplexity * 0.9 };
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => GgufGate.Check(model.Path, file, "f16", documents, better, 0.05, new LoadOptions()));
        Assert.Equal("LB0712", error.Diagnostics[0].Code);
        Assert.Contains("11.1", error.Message, StringComparison.Ordinal); // 1 / 0.9
        Assert.Contains("allows 5.00", error.Message, StringComparison.Ordinal);
        GgufGate.Check(model.Path, file, "f16", documents, better, null, new LoadOptions());
    }

    [Fact]
    public void Another_models_file_is_refused()
    {
        using TemporaryDirectory qwen = GgufModels.Materialise("qwen2");
        using TemporaryDirectory llama = GgufModels.Materialise("llama-tied");
        string file = Export(llama.Path, "f32");
        Assert.Equal("LB0711", Assert.Throws<DiagnosticException>(() => GgufModel.Load(qwen.Path, file, new LoadOptions())).Diagnostics[0].Code);
        using TemporaryDirectory smol = GgufModels.Materialise("smollm");
        Assert.Equal("LB0711", Assert.Throws<DiagnosticException>(() => GgufModel.Load(smol.Path, file, new LoadOptions())).Diagnostics[0].Code);
    }

    private static string Export(string model, string type)
    {
        string file = Path.Combine(model, $"{type}.gguf");
        GgufExporter.Export(model, GgufMix.Find(type)!, file);
        return file;
    }

    private static TokenDocuments HeldOut(string directory, out EvaluationResult merged)
    {
        using CausalLM model = CausalLM.Load(directory, new LoadOptions());
        TokenDocuments documents = Training.Documents.Random(8, 20, 40, model.VocabSize, seed: 4);
        merged = PerplexityEvaluator.Evaluate(model, documents, 4096);
        return documents;
    }
}
