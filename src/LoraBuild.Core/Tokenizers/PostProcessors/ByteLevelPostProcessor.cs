// ByteLevel as a post-processor: takes the whitespace out of the offsets.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal sealed class ByteLevelPostProcessor(bool addsPrefixSpace, bool trimsOffsets) : IPostProcessor
{
    public (int[] Before, int[] Behind) Around => ([], []);

    public Encoding Process(Encoding first, Encoding? second, bool addSpecialTokens) =>
        PostProcessing.Join(Trim(first), second is null ? null : Trim(second));

    public Encoding Trim(Encoding encoding) => trimsOffsets ? TrimOffsets(encoding, addsPrefixSpace) : encoding;

    /// <summary>Spaces at a token's ends leave its offsets; the one space that <c>add_prefix_space</c> put before the text was never in the text.</summary>
    public static Encoding TrimOffsets(Encoding encoding, bool addsPrefixSpace)
    {
        var offsets = new (int Start, int End)[encoding.Count];
        for (int i = 0; i < offsets.Length; i++)
        {
            string token = encoding.Tokens[i];
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
            offsets[i] = (start, end);
        }

        return encoding with { Offsets = offsets };
    }

    private static bool IsSpace(char c) => c == 'Ġ' || UnicodeClasses.IsWhiteSpace(c);
}
