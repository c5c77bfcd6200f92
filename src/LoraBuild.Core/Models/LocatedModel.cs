// Which model a name led to, exactly enough to write it down.
namespace LoraBuild.Core.Models;

/// <param name="Directory">Absolute.</param>
/// <param name="Id">The hub id; null for a directory outside a cache.</param>
/// <param name="Revision">Branch, tag or commit as it was asked for (<c>main</c> where nothing was); null for a directory.</param>
/// <param name="Commit">The commit of the snapshot; null for a directory outside a cache.</param>
public sealed record LocatedModel(string Directory, string? Id = null, string? Revision = null, string? Commit = null);

/// <summary>What of a model is needed.</summary>
public enum ModelContent
{
    /// <summary><c>config.json</c> and all weights.</summary>
    Weights,

    /// <summary><c>config.json</c> only: the shape of a model that starts from random weights.</summary>
    Shape,

    /// <summary><c>tokenizer.json</c>, or a SentencePiece model in its place.</summary>
    Tokenizer,
}
