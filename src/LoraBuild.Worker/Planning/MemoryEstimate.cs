// How much memory a training step will need, by part. An estimate: the measured peak stands in metrics.jsonl.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Models;

namespace LoraBuild.Worker.Planning;

internal static class MemoryEstimate
{
    // Values a token that the backward pass of one layer needs: inputs of the seven linears, both norms and the residuals.
    private const int HiddenValuesKept = 8;
    private const int IntermediateValuesKept = 4;

    // Chunks of the cross-entropy hold this many rows of logits at a time, and their gradients.
    private const int LogitRows = 256;

    public static IReadOnlyList<(string Part, long Bytes)> Of(Recipe recipe, ModelConfig config, ParameterCounts counts, bool isFull)
    {
        int width = recipe.Base.Dtype is "bfloat16" or "float16" ? 2 : 4;
        long tokens = recipe.Train.PerDeviceTrainBatchTokens ?? (long)recipe.Train.PerDeviceTrainBatchSize * recipe.Template.MaxLength;
        long attention = ((long)config.NumAttentionHeads + (2L * config.NumKeyValueHeads)) * config.HeadDim;
        long layer = ((long)HiddenValuesKept * config.HiddenSize) + ((long)IntermediateValuesKept * config.IntermediateSize) + (2 * attention);
        // With checkpointing the inputs of all layers, unless they are in a file, and the graph of one.
        long kept = recipe.Train switch
        {
            { ActivationOffloading: true } => layer,
            { GradientCheckpointing: true } => ((long)config.NumHiddenLayers * config.HiddenSize) + layer,
            _ => config.NumHiddenLayers * layer,
        };
        return
        [
            ("weights", counts.Base * width),
            ("adapter", isFull ? 0 : counts.Trainable * 4),
            ("gradients", counts.Trainable * 4),
            ("optimizer", counts.Trainable * 8),
            ("activations", tokens * kept * width),
            ("logits", 2L * Math.Min(tokens, LogitRows) * config.VocabSize * 4),
        ];
    }
}
