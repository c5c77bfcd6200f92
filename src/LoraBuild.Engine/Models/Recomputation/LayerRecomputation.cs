// That layers are computed again in the backward pass, and where their inputs wait for it.
namespace LoraBuild.Engine.Models.Recomputation;

/// <param name="scratchFile">The file for the inputs of layers, made when the first pass needs it and deleted with this object; null: they stay in memory.</param>
internal sealed class LayerRecomputation(string? scratchFile) : IDisposable
{
    private LayerInputFile? file;

    /// <summary>Null: in memory.</summary>
    public LayerInputFile? File => scratchFile is null ? null : file ??= new LayerInputFile(scratchFile);

    public void Dispose()
    {
        file?.Dispose();
        file = null;
    }
}
