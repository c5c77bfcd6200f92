// The gate's memory does not grow with tokens × vocabulary.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Tests.Training;

namespace LoraBuild.Engine.Tests.Merging;

/// <summary>Measures the memory of the whole process, so nothing may run beside it.</summary>
[Collection(nameof(RunsAlone))]
public sealed class MergeGateMemoryTests
{
    private const int Vocabulary = 100_000, Tokens = 512;
    private const long LogitsOfOneModel = 4L * Vocabulary * Tokens; // 205 MB

    [PeakMemoryTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_peak_is_below_the_logits_of_one_model(bool holdsStoredType)
    {
        using DeepModel model = new(layers: 2, width: 32, intermediate: 64, Vocabulary);
        using (CausalLM random = CausalLM.Load(model.Path, new LoadOptions { RandomWeights = true }))
            random.SaveWeights(model.Path, TensorDtype.BF16);
        TokenDocuments documents = Documents.Random(4, Tokens / 4, Tokens / 4, Vocabulary, 3);
        MergeGateOptions options = new() { MaxTokens = Tokens, Load = new LoadOptions { HoldsStoredType = holdsStoredType } };
        MergeDriftReport? report = null;

        long peak = PeakMemory.Of(() => report = MergeGate.Check(model.Path, model.Path, model.Path, documents, options).Drift);

        Assert.Equal((Tokens, 0), (report!.Tokens, report.MaxLogitDifference));
        Assert.True(peak < LogitsOfOneModel * 3 / 4, $"{peak / 1e6:F0} MB; the logits of one model have {LogitsOfOneModel / 1e6:F0} MB");
    }
}
