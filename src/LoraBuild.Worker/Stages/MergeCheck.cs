// Does the merged model compute what base + adapter compute?
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Worker.Stages;

internal static class MergeCheck
{
    private const int Documents = 2;
    private const int TokensOfDocument = 64;

    /// <summary>Compares logits on a few held-out documents, both in float32.</summary>
    /// <exception cref="DiagnosticException">LB0832: float32 weights differ by more than <c>merge.max_drift</c>.</exception>
    public static void Run(StageWork work, Compute compute, string baseDirectory, string adapterDirectory, string mergedDirectory)
    {
        TokenDocuments? documents = StageTokens.ReadOptional(work.Layout, "eval") ?? StageTokens.ReadOptional(work.Layout, "train");
        if (documents is null)
            return;
        ReadOnlyMemory<int>[] texts = [.. Enumerable.Range(0, Math.Min(Documents, documents.Count)).Select(i => documents[i].InputIds).Select(ids => ids[..Math.Min(ids.Length, TokensOfDocument)])];
        Compute exact = compute with { Dtype = ScalarType.Float32 };
        float[] expected = Logits(exact, baseDirectory, adapterDirectory, texts);
        float[] found = Logits(exact, mergedDirectory, null, texts);
        double drift = 0;
        for (int i = 0; i < expected.Length; i++)
            drift = Math.Max(drift, Math.Abs((double)expected[i] - found[i]));

        string text = drift.ToString("G3", CultureInfo.InvariantCulture);
        if (drift <= work.Recipe.Merge.MaxDrift)
        {
            work.Reporter.Message($"merge: logits differ from base + adapter by at most {text}");
            return;
        }

        // 16-bit weights are rounded once more when the update is added; that is their price, not a fault.
        if (!IsFloat32(mergedDirectory))
        {
            work.Reporter.Message($"merge: logits differ from base + adapter by at most {text}, the rounding of 16-bit weights");
            return;
        }

        RecipePlace place = work.Recipe.PlaceOf("merge.max_drift");
        throw new DiagnosticException(
            "LB0832",
            $"the merged model's logits differ from those of base + adapter by {text}; merge.max_drift allows {work.Recipe.Merge.MaxDrift.ToString(CultureInfo.InvariantCulture)}.",
            place.File, place.Line, place.Column);
    }

    private static bool IsFloat32(string directory)
    {
        using ModelFiles files = ModelFiles.Open(directory);
        return files.Tensors.Values.All(t => t.Dtype == TensorDtype.F32);
    }

    private static float[] Logits(Compute compute, string modelDirectory, string? adapterDirectory, ReadOnlyMemory<int>[] texts)
    {
        (CausalLM model, LoraAdapter? adapter) = compute.Load(modelDirectory, adapterDirectory);
        using (model)
        using (adapter)
        {
            using IDisposable noGrad = no_grad();
            using PackedBatch batch = PackedBatch.FromDocuments(texts, model.Device);
            using Tensor hidden = model.HiddenStates(batch); // [P, hidden]
            using Tensor logits = model.Logits(hidden); // [P, vocab]
            return TensorTypes.ToFloat32Array(logits);
        }
    }
}
