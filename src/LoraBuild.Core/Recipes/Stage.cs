// The six stages of a pipeline, in the order in which they run.
namespace LoraBuild.Core.Recipes;

/// <summary>One of the six stages; a recipe key names the stages that read it, and a change makes those stale.</summary>
public enum Stage
{
    /// <summary>PrepareDataset: sources → conversations.</summary>
    Prepare,

    /// <summary>ApplyChatTemplate: conversations → tokens.</summary>
    Template,

    /// <summary>TrainAdapter: tokens → adapter.</summary>
    Train,

    /// <summary>EvaluatePerplexity: loss and perplexity before and after.</summary>
    Evaluate,

    /// <summary>MergeAndUnload: base + adapter → a complete model.</summary>
    Merge,

    /// <summary>ExportGguf: the merged model → GGUF files.</summary>
    Export,
}
