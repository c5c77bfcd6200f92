// What a checkpoint and the result hold: weights and optimizer state of one run.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using TorchSharp;

namespace LoraBuild.Engine.Training;

/// <summary>Weights are stored bit by bit: <c>trained.safetensors</c> by the names of the trainable parameters, <c>optimizer.safetensors</c> beside it.</summary>
internal sealed class CheckpointFiles(string outputDirectory, LoraAdapter? adapter, IReadOnlyList<(string Name, torch.Tensor Value)> parameters, AdamW optimizer)
{
    private const string WeightsFile = "trained.safetensors";
    private const string OptimizerFile = "optimizer.safetensors";

    public CheckpointStore Store { get; } = new(Path.Combine(outputDirectory, "checkpoints"));

    public string Save(TrainingState state) => Store.Save(state, directory =>
    {
        TensorState.Write(Path.Combine(directory, WeightsFile), parameters);
        optimizer.Save(Path.Combine(directory, OptimizerFile));
    });

    public void Load(int step)
    {
        LoadWeights(step);
        optimizer.Load(Path.Combine(Store.PathOf(step), OptimizerFile));
    }

    public void LoadWeights(int step) => TensorState.ReadInto(Path.Combine(Store.PathOf(step), WeightsFile), parameters);

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
