// Chooses a decoder by its type.
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.Decoders;

internal static class DecoderReader
{
    public static IDecoder Read(JsonView view)
    {
        string type = view["type"].AsString();
        switch (type)
        {
            case "Sequence":
                return new SequenceDecoder([.. view["decoders"].Items().Select(Read)]);
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "Strip":
                return new StripDecoder(view["content"].AsString(), view["start"].AsInt(), view["stop"].AsInt());
            case "Replace":
                (OnigRegex? regex, string? text) = PatternReader.Read(view["pattern"]);
                return new ReplaceDecoder(regex, text, view["content"].AsString());
            case "WordPiece":
                return new WordPieceDecoder(view["prefix"].AsString(), view["cleanup"].AsBool());
            case "BPEDecoder":
                return new BpeDecoder(view["suffix"].AsString());
            case "Metaspace":
                (string mark, PrependScheme scheme, _) = PreTokenizerReader.ReadMetaspace(view);
                return new MetaspaceDecoder(mark, scheme != PrependScheme.Never);
            case "CTC":
                return new CtcDecoder(view["pad_token"].AsString(), view["word_delimiter_token"].AsString(), view["cleanup"].AsBool());
            default:
                throw view.Error("LB0204", $"the decoder type \"{type}\" is not known; known are BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece");
        }
    }
}
