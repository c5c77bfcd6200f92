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
    private readonly (string Name, torch.Tensor Value)[] constants = [.. adapter?.Constants() ?? []];

    /// <summary>Where the weights are read from again: of an adapter its own file, unless that holds them in another form.</summary>
    private string WeightsFile => adapter is null || constants.Length > 0 ? "trained.safetensors" : PeftAdapterFiles.WeightsFileName;

    public CheckpointStore Store { get; } = new(Path.Combine(outputDirectory, "checkpoints"));

    public string Save(TrainingState state) => Store.Save(state, directory =>
    {
        adapter?.Save(directory);
        if (WeightsFile != PeftAdapterFiles.WeightsFileName)
            TensorState.Write(Path.Combine(directory, WeightsFile), parameters.Concat(constants));
        optimizer.Save(Path.Combine(directory, OptimizerFile));
    });

    public void Load(int step)
    {
        LoadWeights(step);
        optimizer.Load(Path.Combine(Store.PathOf(step), OptimizerFile));
    }

    public void LoadWeights(int step) => TensorState.ReadInto(Path.Combine(Store.PathOf(step), WeightsFile), parameters.Concat(constants));

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
