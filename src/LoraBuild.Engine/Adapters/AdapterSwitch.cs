// What all modules of one adapter share: whether it acts, and the seed of its dropout.
namespace LoraBuild.Engine.Adapters;

internal sealed class AdapterSwitch
{
    public bool IsEnabled { get; set; } = true;

    /// <summary>Null until a seed is given: no dropout.</summary>
    public long? DropoutSeed { get; set; }
}
