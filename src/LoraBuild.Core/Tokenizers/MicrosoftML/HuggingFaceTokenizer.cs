// A tokenizer.json as Microsoft.ML.Tokenizers' Tokenizer. Compiled only with PackageFeed=full, where that package is referenced.
using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace LoraBuild.Core.Tokenizers.MicrosoftML;

/// <summary>Gives .NET code that expects a <see cref="Microsoft.ML.Tokenizers.Tokenizer"/> one that reads Hugging Face's <c>tokenizer.json</c>.</summary>
/// <remarks>Special tokens in the text are recognised and none are added, as that library's tokenizers do. Normalisation and pre-tokenisation belong to the pipeline and cannot be switched off one by one.</remarks>
public sealed class HuggingFaceTokenizer(Tokenizer inner) : Microsoft.ML.Tokenizers.Tokenizer
{
    /// <param name="directory">Holds tokenizer.json and, where there is one, tokenizer_config.json.</param>
    public static HuggingFaceTokenizer Load(string directory) => new(Tokenizer.Load(directory));

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        int[] all = [.. ids];
        string text = inner.Decode(all);
        if (text.Length > destination.Length)
        {
            idsConsumed = 0;
            charsWritten = 0;
            return OperationStatus.DestinationTooSmall;
        }

        text.CopyTo(destination);
        idsConsumed = all.Length;
        charsWritten = text.Length;
        return OperationStatus.Done;
    }

    public override string Decode(IEnumerable<int> ids) => inner.Decode([.. ids]);

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        string whole = text ?? textSpan.ToString();
        Encoding encoding = inner.Encode(whole, addSpecialTokens: false);
        int[] unitOfCodePoint = Utf16Positions(whole);
        int count = Math.Min(encoding.Count, settings.MaxTokenCount);
        EncodedToken[] tokens = new EncodedToken[count];
        for (int i = 0; i < count; i++)
        {
            (int start, int end) = encoding.Offsets[i];
            tokens[i] = new EncodedToken(encoding.Ids[i], encoding.Tokens[i], unitOfCodePoint[start]..unitOfCodePoint[end]);
        }

        return new EncodeResults<EncodedToken>
        {
            Tokens = tokens,
            NormalizedText = null,
            CharsConsumed = count == encoding.Count ? whole.Length : count == 0 ? 0 : unitOfCodePoint[encoding.Offsets[count - 1].End],
        };
    }

    /// <summary>Hugging Face counts code points, .NET counts UTF-16 units: [code points + 1] start positions.</summary>
    private static int[] Utf16Positions(string text)
    {
        List<int> positions = new(text.Length + 1);
        for (int i = 0; i < text.Length; i += char.IsSurrogatePair(text, i) ? 2 : 1)
            positions.Add(i);
        positions.Add(text.Length);
        return [.. positions];
    }
}
