// ByteLevel as a post-processor: takes the whitespace out of the offsets.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal sealed class ByteLevelPostProcessor(bool addsPrefixSpace, bool trimsOffsets) : IPostProcessor
{
    public (int[] Before, int[] Behind)? Around => ([], []);

    public int AddedTokens(bool isPair) => 0;

    /// <summary>Each part counts as a text from here on, also where another post-processor made it.</summary>
    public List<Encoding> Process(List<Encoding> parts, bool addSpecialTokens) =>
        [.. Trim(parts).Select((part, i) => PostProcessing.OfSequence(part, i))];

    /// <summary>Trims the offsets in place where that is asked for; returns the parts.</summary>
    public List<Encoding> Trim(List<Encoding> parts)
    {
        // A template may hold the same text twice.
        HashSet<(int, int)[]> trimmed = new(ReferenceEqualityComparer.Instance);
        if (trimsOffsets)
            parts.ForEach(TrimAll);
        return parts;

        void TrimAll(Encoding encoding)
        {
            if (trimmed.Add(encoding.Offsets))
                TrimOffsets(encoding, addsPrefixSpace);
            foreach (Encoding window in encoding.Overflowing)
                TrimAll(window);
        }
    }

    /// <summary>Spaces at a token's ends leave its offsets; the one space that <c>add_prefix_space</c> put before the text was never in the text.</summary>
    private static void TrimOffsets(Encoding encoding, bool addsPrefixSpace)
    {
        for (int i = 0; i < encoding.Count; i++)
        {
            string token = encoding.Tokens[i];
            if (token.Length > 0 && !IsSpace(token[0]) && !IsSpace(token[^1]))
                continue;
            (int start, int end) = encoding.Offsets[i];
            int leading = 0;
            while (leading < token.Length && IsSpace(token[leading]))
                leading++;
            int trailing = 0;
            while (trailing < token.Length && IsSpace(token[^(trailing + 1)]))
                trailing++;
            if (leading > 0)
            {
                // More than one space cannot be the one that was added.
                if (addsPrefixSpace && leading == 1 && (i == 0 || start == 0))
                    leading = 0;
                start = Math.Min(start + leading, end);
            }

            if (trailing > 0 && end >= trailing)
                end = Math.Max(end - trailing, start);
            encoding.Offsets[i] = (start, end);
        }
    }

    private static bool IsSpace(char c) => c == 'Ġ' || UnicodeClasses.IsWhiteSpace(c);
}
