// The fingerprints of a pipeline, as far as they can be known before its stages have run.
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

public sealed class PipelineState
{
    private readonly Recipe recipe;
    private readonly ContentHasher hasher;
    private readonly StageInputs inputs;

    public PipelineState(Recipe recipe, StageLayout layout, IReadOnlyList<string> modelCaches)
    {
        this.recipe = recipe;
        Layout = layout;
        hasher = new ContentHasher(layout.HashCache);
        inputs = new StageInputs(recipe, layout, modelCaches, hasher);
    }

    public StageLayout Layout { get; }

    public StageState Of(Stage stage) => StageState.Of(stage, recipe, Layout, inputs);

    public string Hash(string file) => hasher.Hash(file);

    public void SaveHashes() => hasher.Save();

    /// <summary>
    /// Writes the fingerprint files of all stages whose predecessors are up to date. The others are left alone: their fingerprints hold content
    /// that is still to be made, and the stage that makes it writes them. Then evaluation.json says what the finished stages measured.
    /// </summary>
    public void WriteFingerprints()
    {
        HashSet<Stage> stale = [];
        foreach (Stage stage in StageLayout.Order)
        {
            if (StageLayout.PredecessorsOf(stage).Any(stale.Contains))
            {
                stale.Add(stage);
                continue;
            }

            StageState state = Of(stage);
            state.WriteFingerprint(Layout);
            if (!state.IsUpToDate)
                stale.Add(stage);
        }

        // By what each stage was made from, not by its predecessors: they may have left their outputs to someone else, and figures are of what stands there.
        EvaluationFile.Compose(Layout, stage => Of(stage).IsUpToDate);
        SaveHashes();
    }
}
