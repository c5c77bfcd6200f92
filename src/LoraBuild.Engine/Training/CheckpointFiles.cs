// What a checkpoint and the result hold: weights and optimizer state of one run.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training.Optimizers;
using TorchSharp;

namespace LoraBuild.Engine.Training;

/// <summary>
/// Weights are stored bit by bit by the names of the trainable parameters, the optimizer beside them. A checkpoint of an adapter is a PEFT
/// directory that other programs load.
/// </summary>
internal sealed class CheckpointFiles(string outputDirectory, LoraAdapter? adapter, IReadOnlyList<(string Name, torch.Tensor Value)> parameters, IOptimizer optimizer)
{
    private const string OptimizerFile = "optimizer.safetensors";
    private readonly string weightsFile = adapter is null ? "trained.safetensors" : PeftAdapterFiles.WeightsFileName;

    public CheckpointStore Store { get; } = new(Path.Combine(outputDirectory, "checkpoints"));

    public string Save(TrainingState state) => Store.Save(state, directory =>
    {
        if (adapter is null)
            TensorState.Write(Path.Combine(directory, weightsFile), parameters);
        else
            adapter.Save(directory);
        optimizer.Save(Path.Combine(directory, OptimizerFile));
    });

    public void Load(int step)
    {
        LoadWeights(step);
        optimizer.Load(Path.Combine(Store.PathOf(step), OptimizerFile));
    }

    public void LoadWeights(int step) => TensorState.ReadInto(Path.Combine(Store.PathOf(step), weightsFile), parameters);

    /// <summary>adapter/ in PEFT's format, or model/ with all weights.</summary>
    public string WriteResult(CausalLM model)
    {
        string path = Path.Combine(outputDirectory, adapter is null ? "model" : "adapter");
        ReplaceDirectory.Write(path, directory =>
        {
            if (adapter is null)
                model.SaveWeights(directory);
            else
                adapter.Save(directory);
        });
        return path;
    }
}
