// What all modules of one adapter share: whether it acts, and where its dropout comes from.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Adapters;

internal sealed class AdapterSwitch
{
    public bool IsEnabled { get; set; } = true;

    /// <summary>Null until it is given: no dropout.</summary>
    public RowRandomness? Dropout { get; set; }
}
