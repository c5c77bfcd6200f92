// ByteLevel: GPT-2's split, and the text as stand-ins of its UTF-8 bytes.
using LoraBuild.Core.Tokenizers.Regex;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.PreTokenizers;

/// <param name="addsPrefixSpace">Each piece that does not begin with a space gets one.</param>
/// <param name="usesRegex">Cut with GPT-2's pattern.</param>
/// <param name="writesBytes">False where the model itself reads the text as bytes: then only the cuts are made.</param>
internal sealed class ByteLevelPreTokenizer(bool addsPrefixSpace, bool usesRegex, bool writesBytes) : IPreTokenizer
{
    private const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private static readonly OnigRegex Gpt2 = OnigRegex.Parse(Gpt2Pattern);

    public void Split(TextPiece piece, PreTokenizeContext context, List<TextPiece> output)
    {
        if (addsPrefixSpace && piece.Length > 0 && piece.Span[0] != ' ')
        {
            AlignedTextBuilder builder = new(piece, context.HasPlaces);
            builder.Append(' ', 0);
            builder.AppendSource(0, piece.Length);
            piece = builder.ToPiece();
        }

        int first = output.Count;
        if (usesRegex)
            SplitPreTokenizer.Isolate(Gpt2, piece, context.Regex, output);
        else if (piece.Length > 0)
            output.Add(piece);
        if (!writesBytes)
            return;
        for (int i = first; i < output.Count; i++)
            output[i] = ToBytes(output[i], context.HasPlaces);
    }

    /// <summary>Every byte's stand-in has the place of its whole character.</summary>
    internal static TextPiece ToBytes(TextPiece piece, bool hasPlaces)
    {
        AlignedTextBuilder builder = new(piece, hasPlaces);
        ReadOnlySpan<char> text = piece.Span;
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < text.Length;)
        {
            int c = UnicodeClasses.CodePointAt(text, i, out int units);
            int count = new System.Text.Rune(c).EncodeToUtf8(bytes);
            for (int b = 0; b < count; b++)
                builder.Append(ByteAlphabet.ToChar(bytes[b]), i);
            i += units;
        }

        return builder.ToPiece();
    }
}
