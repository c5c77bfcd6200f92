// ByteLevel: stand-ins back to bytes, bytes to text.
namespace LoraBuild.Core.Tokenizers.Decoders;

/// <summary>What is not UTF-8 becomes U+FFFD, one for each maximal part of a sequence.</summary>
internal sealed class ByteLevelDecoder : IDecoder
{
    public List<string> Decode(List<string> tokens)
    {
        List<byte> bytes = new(tokens.Count * 4);
        foreach (string token in tokens)
            ByteAlphabet.AppendBytes(token, bytes);
        return [System.Text.Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes))];
    }
}
