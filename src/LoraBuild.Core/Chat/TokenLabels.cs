// From ranges of characters to labels of tokens.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

internal static class TokenLabels
{
    /// <summary>A token is a target when one of its characters is; one without characters when its place lies inside a target range.</summary>
    public static int[] FromRanges(Encoding encoding, IReadOnlyList<(int Start, int End)> targets)
    {
        int[] labels = new int[encoding.Ids.Length];
        int next = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            (int start, int end) = encoding.Offsets[i];
            bool isAdded = encoding.SpecialTokensMask[i] && start == end; // by the post-processor, not in the text
            while (next < targets.Count && targets[next].End <= start && !isAdded)
                next++;
            bool isTarget = next < targets.Count && !isAdded && Math.Max(end, start + 1) > targets[next].Start;
            labels[i] = isTarget ? encoding.Ids[i] : TokensFile.IgnoredLabel;
        }

        return labels;
    }

    /// <summary>Tokens that begin before a target range and end inside it: a prompt that ends where the range begins is cut into other tokens.</summary>
    public static int Crossing(Encoding encoding, IReadOnlyList<(int Start, int End)> targets)
    {
        int crossing = 0;
        int next = 0;
        foreach ((int start, int end) in encoding.Offsets)
        {
            while (next < targets.Count && targets[next].Start <= start)
                next++;
            if (next < targets.Count && end > targets[next].Start)
                crossing++;
        }

        return crossing;
    }
}
