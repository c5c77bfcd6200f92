// A pattern that this engine does not read; the loader turns it into a diagnostic with file and place.
namespace LoraBuild.Core.Tokenizers.Regex;

/// <param name="position">From 0, in UTF-16 units of the pattern.</param>
internal sealed class RegexSyntaxException(string message, int position) : Exception(message)
{
    public int Position { get; } = position;
}
