// Which parameters weight decay leaves alone, by name, as transformers' Trainer decides it.
using System.Text.RegularExpressions;

namespace LoraBuild.Engine.Training;

public static partial class WeightDecayRule
{
    /// <summary>
    /// False for names with <c>bias</c>, <c>layernorm</c>, <c>rmsnorm</c>, or a component <c>norm</c> or <c>…_norm</c>.
    /// LoRA A and B, embeddings and the head decay.
    /// </summary>
    public static bool Decays(string parameterName) => !WithoutDecay().IsMatch(parameterName);

    // transformers 5, Trainer.get_decay_parameter_names: bias, layernorm, rmsnorm, (?:^|\.)norm(?:$|\.), _norm(?:$|\.)
    [GeneratedRegex(@"bias|layernorm|rmsnorm|(^|\.)norm($|\.)|_norm($|\.)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex WithoutDecay();
}
