// The tokens that mean something to the model besides their characters: which ones they are, and where a text holds them.
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

internal sealed class ControlTokens
{
    private readonly TokenTrie contents = new();
    private readonly List<string> guarded = [];
    private readonly List<string> spoken = [];

    /// <summary>
    /// Special tokens and those that begin, end or pad a text; and, to be kept out of a user's words, what the template writes itself: many families do not mark their
    /// turn or tool tokens as special.
    /// </summary>
    /// <param name="templateSources">The texts of the templates that may render.</param>
    public ControlTokens(Tokenizer tokenizer, IReadOnlyList<string> templateSources)
    {
        string?[] roles = [tokenizer.BosToken, tokenizer.EosToken, tokenizer.PadToken];
        foreach (AddedToken token in tokenizer.AddedTokens.Where(t => !string.IsNullOrWhiteSpace(t.Content)).OrderBy(t => t.Content, StringComparer.Ordinal))
        {
            bool isControl = token.Special || roles.Contains(token.Content);
            if (isControl)
                spoken.Add(token.Content);
            if (!isControl && !templateSources.Any(s => s.Contains(token.Content, StringComparison.Ordinal)))
                continue;
            contents.Add(token.Content, guarded.Count);
            guarded.Add(token.Content);
        }
    }

    /// <summary>The special tokens in the assistant's words. What a template writes around thoughts and calls of tools is at home there.</summary>
    public IEnumerable<string> SpokenIn(IEnumerable<string> answers) => spoken.Where(t => answers.Any(a => a.Contains(t, StringComparison.Ordinal)));

    /// <summary>Each token's first unit and its content, the longest at a place, in order and without overlaps.</summary>
    public IReadOnlyList<(int Start, string Token)> FindIn(string text)
    {
        List<(int, string)> places = [];
        for (int from = 0; !contents.IsEmpty && contents.TryFind(text, from, out int start, out int length, out int index); from = start + length)
            places.Add((start, guarded[index]));
        return places;
    }
}
