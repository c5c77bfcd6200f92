// MergeAndUnload: base and adapter → merged/, checked against what it was made from.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Models;

namespace LoraBuild.Worker.Stages;

internal static class MergeWork
{
    /// <param name="threads">Null: all cores.</param>
    public static void Run(StageWork work, Compute compute, int? threads)
    {
        Recipe recipe = work.Recipe;
        bool isFull = recipe.Adapter.Type == "none";
        string trained = isFull ? work.Layout.Model : work.Layout.Adapter;
        if (!Directory.Exists(trained))
            throw new DiagnosticException("LB0831", $"{trained} does not exist. Run the stage before: lorabuild train --recipe … --output {work.Layout.Root}");

        // A model that began with random weights has none to merge into: the trained ones are the model.
        string baseDirectory = isFull ? trained : work.BaseModel();
        string output = work.At(work.Layout.Merged);
        TensorDtype? dtype = recipe.Merge.Dtype == "auto" ? null : Dtype(recipe.Merge.Dtype);
        MergeReport report = AdapterMerger.Merge(baseDirectory, trained, output, new MergeOptions { Dtype = dtype, MaxShardSize = recipe.Merge.MaxShardSize, Threads = threads });
        MergedTokenizer.Write(work, baseDirectory, output);
        CardWork.WriteMerged(work, output);
        work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"merge: {report.ModulesMerged} modules, {report.Tensors} tensors, {report.TotalBytes / 1e6:N1} MB in {report.Shards} file(s)"));
        Check(work, compute, baseDirectory, trained, output);
    }

    private static void Check(StageWork work, Compute compute, string baseDirectory, string trained, string output)
    {
        TokenDocuments? heldOut = StageTokens.ReadOptional(work.Layout, "eval");
        TokenDocuments? documents = heldOut ?? StageTokens.ReadOptional(work.Layout, "train");
        if (documents is null)
            return;
        (MergeDriftReport drift, EvaluationResult? merged) = MergeGate.Check(
            baseDirectory,
            trained,
            output,
            documents,
            new MergeGateOptions
            {
                MaxDrift = work.Recipe.Merge.MaxDrift,
                HeldOut = heldOut,
                Load = new LoadOptions { Device = compute.Device, Dtype = compute.Dtype },
            },
            work.Cancellation);
        EvaluationReport.WriteMerged(work.At(work.Layout.MergedEvaluation), merged, drift);
        work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"merge: logits differ from base + adapter by at most {drift.MaxLogitDifference:G3} on {drift.Tokens} tokens{(merged is null ? "" : $"; perplexity {merged.Perplexity:F3} on {merged.Tokens:N0} tokens")}"));
    }

    public static TensorDtype Dtype(string name) => name switch
    {
        "float16" => TensorDtype.F16,
        "bfloat16" => TensorDtype.BF16,
        _ => TensorDtype.F32,
    };
}
