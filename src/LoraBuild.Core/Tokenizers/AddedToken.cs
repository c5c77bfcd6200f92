// A token that is looked for in the text itself, before the model sees it.
namespace LoraBuild.Core.Tokenizers;

/// <param name="Id">As the library assigns it: the vocabulary's where the content is in it, else the next free one.</param>
/// <param name="Special">Left out by <c>skipSpecialTokens</c>, and not looked for with <c>splitSpecialTokens</c>.</param>
/// <param name="Lstrip">A match takes the whitespace before it.</param>
/// <param name="Rstrip">A match takes the whitespace behind it.</param>
/// <param name="Normalized">Looked for in the normalized text, with its own content normalized too.</param>
/// <param name="SingleWord">Does not match beside a word character.</param>
public sealed record AddedToken(int Id, string Content, bool Special, bool Lstrip, bool Rstrip, bool Normalized, bool SingleWord);
