// Chooses a normalizer by its type.
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers.Normalizers;

internal static class NormalizerReader
{
    private const string Known = "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip, StripAccents";

    public static INormalizer Read(JsonView view)
    {
        string type = view["type"].AsString();
        switch (type)
        {
            case "Sequence":
                return new SequenceNormalizer([.. view["normalizers"].Items().Select(Read)]);
            case "NFC":
                return new UnicodeFormNormalizer(isCompatibility: false, composes: true);
            case "NFD":
                return new UnicodeFormNormalizer(isCompatibility: false, composes: false);
            case "NFKC":
                return new UnicodeFormNormalizer(isCompatibility: true, composes: true);
            case "NFKD":
                return new UnicodeFormNormalizer(isCompatibility: true, composes: false);
            case "Lowercase":
                return new LowercaseNormalizer();
            case "StripAccents":
                return new StripAccentsNormalizer();
            case "Strip":
                return new StripNormalizer(view["strip_left"].AsBool(), view["strip_right"].AsBool());
            case "Prepend":
                return new PrependNormalizer(view["prepend"].AsString());
            case "Replace":
                (OnigRegex? regex, string? text) = PatternReader.Read(view["pattern"]);
                return new ReplaceNormalizer(regex, text, view["content"].AsString());
            case "Nmt":
                return new NmtNormalizer();
            case "ByteLevel":
                return new ByteLevelNormalizer();
            case "BertNormalizer":
                bool lowers = view["lowercase"].AsBool();
                return new BertNormalizer(view["clean_text"].AsBool(), view["handle_chinese_chars"].AsBool(), view.OptionalBool("strip_accents", lowers), lowers);
            case "Precompiled":
                return ReadPrecompiled(view["precompiled_charsmap"]);
            default:
                throw view.Error("LB0204", $"the normalizer type \"{type}\" is not known; known are {Known}");
        }
    }

    private static PrecompiledNormalizer ReadPrecompiled(JsonView view)
    {
        string text = view.AsString();
        var blob = new byte[text.Length];
        return Convert.TryFromBase64String(text, blob, out int count) && PrecompiledNormalizer.Read(blob.AsSpan(0, count)) is { } normalizer
            ? normalizer
            : throw view.Error("LB0203", "the character map is damaged");
    }
}
