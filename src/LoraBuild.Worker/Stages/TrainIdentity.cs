// What makes a training run the same run, of what the engine does not see: the recipe and the content of what it names.
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

internal static class TrainIdentity
{
    /// <summary>
    /// Of all keys and inputs of the stage but the length of the run — a longer one may go on from a shorter one's checkpoint, which the trainer decides —
    /// and how activations are kept, which changes no bit: a run that died for lack of memory goes on with checkpointing.
    /// </summary>
    public static string Of(Recipe recipe, IReadOnlyDictionary<string, string> inputs)
    {
        TrainSection defaults = new();
        Recipe comparable = recipe with
        {
            Train = recipe.Train with
            {
                NumTrainEpochs = defaults.NumTrainEpochs,
                MaxSteps = defaults.MaxSteps,
                GradientCheckpointing = defaults.GradientCheckpointing,
                ActivationOffloading = defaults.ActivationOffloading,
            },
        };
        StringBuilder text = new(RecipeKeys.CanonicalText(comparable, Stage.Train));
        text.Append(ToolVersion.Current).Append('\n');
        foreach ((string name, string hash) in inputs.OrderBy(i => i.Key, StringComparer.Ordinal))
            text.Append(name).Append(' ').Append(hash).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }
}
