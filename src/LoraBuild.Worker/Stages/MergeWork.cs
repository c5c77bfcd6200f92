// MergeAndUnload: base and adapter → merged/, checked against what it was made from.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
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

        if (!isFull)
            CheckPossible(recipe, work.BaseModel());

        // A model that began with random weights has none to merge into: the trained ones are the model.
        string baseDirectory = isFull ? trained : work.BaseModel();
        string output = work.At(work.Layout.Merged);
        TensorDtype? dtype = recipe.Merge.Dtype == "auto" ? null : Dtype(recipe.Merge.Dtype);
        MergeReport report = AdapterMerger.Merge(baseDirectory, trained, output, new MergeOptions
        {
            Dtype = dtype,
            MaxShardSize = recipe.Merge.MaxShardSize,
            Threads = threads,
            Dequantized = recipe.Merge.Into == "dequantized" ? BaseModelOptions.Quantization(recipe) : null,
        });
        MergedTokenizer.Write(work, baseDirectory, output);
        CardWork.WriteMerged(work, output);
        work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"merge: {report.ModulesMerged} modules, {report.Tensors} tensors, {report.TotalBytes / 1e6:N1} MB in {report.Shards} file(s)"));
        if (report.IsBaseQuantized)
            work.Reporter.Message("merge: the base model's files hold codes, so the adapter was added to the weights that they decode to, as training saw them (merge.into original and dequantized are the same here)");
        Check(work, compute, baseDirectory, trained, output);
    }

    /// <summary>Says before training whether there will be decoded weights to merge into: of codes that the recipe asks for, or that the base model's files hold.</summary>
    /// <exception cref="DiagnosticException">LB0010: there will be none.</exception>
    public static void CheckPossible(Recipe recipe, string modelDirectory)
    {
        if (recipe.Merge.Into != "dequantized" || recipe.Base.Quantization != "none" || HoldsCodes(modelDirectory))
            return;
        RecipePlace place = recipe.PlaceOf("merge.into");
        throw new DiagnosticException("LB0010", "merge.into dequantized means the decoded weights of a quantized base, but base.quantization is none and the base model's files hold no codes. Set base.quantization, or merge.into: original.", place.File, place.Line, place.Column);
    }

    private static bool HoldsCodes(string modelDirectory)
    {
        if (!ModelFiles.Exist(modelDirectory))
            return false;
        using ModelFiles files = ModelFiles.Open(modelDirectory);
        return files.Tensors.Keys.Any(name => PackedWeight.Find(files, name) is not null);
    }

    private static void Check(StageWork work, Compute compute, string baseDirectory, string trained, string output)
    {
        TokenDocuments? heldOut = StageTokens.ReadOptional(work.Layout, "eval");
        TokenDocuments? documents = heldOut ?? StageTokens.ReadOptional(work.Layout, "train");
        if (documents is null)
            return;
        LoadOptions original = compute.LoadOptions;
        LoadOptions quantised = BaseModelOptions.Of(work, compute) with { RandomWeights = false, HoldsStoredType = original.HoldsStoredType };
        bool isIntoOriginal = work.Recipe.Merge.Into == "original";
        MergeGateOptions options = new() { MaxDrift = work.Recipe.Merge.MaxDrift, HeldOut = heldOut, Load = isIntoOriginal ? original : quantised };
        (MergeDriftReport drift, EvaluationResult? merged) = MergeGate.Check(baseDirectory, trained, output, documents, options, work.Cancellation);
        OtherDrift? other = null;
        if (work.Recipe.Base.Quantization != "none")
        {
            // The two differ by what quantising took from the base: it is told, and no bound is held against it.
            MergeGateOptions otherOptions = options with { HeldOut = null, Load = isIntoOriginal ? quantised : original };
            other = new OtherDrift(isIntoOriginal ? OtherDrift.FromQuantized : OtherDrift.FromOriginal, MergeGate.Measure(baseDirectory, trained, output, documents, otherOptions, work.Cancellation).Drift);
            work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"merge: from {other.Name} logits differ by up to {other.Drift.MaxLogitDifference:G3}, perplexity by {other.Drift.PerplexityDrift:P2} (merged into: {work.Recipe.Merge.Into})"));
        }

        EvaluationReport.WriteMerged(work.At(work.Layout.MergedEvaluation), merged, drift, other);
        work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"merge: logits differ from base + adapter by at most {drift.MaxLogitDifference:G3} on {drift.Tokens} tokens{(merged is null ? "" : $"; perplexity {merged.Perplexity:F3} on {merged.Tokens:N0} tokens")}"));
    }

    public static TensorDtype Dtype(string name) => name switch
    {
        "float16" => TensorDtype.F16,
        "bfloat16" => TensorDtype.BF16,
        _ => TensorDtype.F32,
    };
}
