// Decides for every tensor of the merged model where its values come from; everything that cannot be is found before a byte is written.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Merging;

/// <param name="IsHeadUntied">lm_head.weight stands in the merged model although the base ties it to the embedding.</param>
internal sealed record MergePlan(IReadOnlyList<MergedTensor> Tensors, bool IsHeadUntied)
{
    /// <exception cref="DiagnosticException">LB0701: the adapter names modules that the base lacks; LB0702: shapes differ.</exception>
    public static MergePlan OfAdapter(MergeBase model, ModelConfig config, PeftAdapterFiles adapter, MergeOptions options)
    {
        MergePlanBuilder builder = new(model, config, adapter.Directory, options);
        foreach ((string name, TensorEntry entry) in adapter.BaseWeights)
            builder.ReplaceBase(name, adapter.Weights, entry);
        foreach ((string name, TensorEntry entry) in adapter.Replacements)
            builder.Replace(name, adapter.Weights, entry);
        foreach (TrainedRows rows in adapter.TokenRows)
            builder.ReplaceRows(rows, adapter.Weights);
        foreach (LoraPair pair in adapter.Pairs)
            builder.Add(pair, (float)adapter.Config.ScalingOf(pair.ModulePath), adapter.Weights);
        return builder.Build(wasOneParameter: adapter.Config.EnsureWeightTying);
    }

    /// <summary>A full fine-tuning: its weights replace the base's of the same name.</summary>
    public static MergePlan OfFullFineTuning(MergeBase model, ModelConfig config, ModelFiles trained, MergeOptions options)
    {
        MergePlanBuilder builder = new(model, config, trained.Directory, options);
        foreach (SafetensorsFile file in trained.Files)
        {
            foreach ((string name, TensorEntry entry) in file.Tensors)
                builder.Replace(name, file, entry);
        }

        return builder.Build(wasOneParameter: true);
    }
}
