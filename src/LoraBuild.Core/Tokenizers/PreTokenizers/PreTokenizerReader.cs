// Chooses a pre-tokenizer by its type.
namespace LoraBuild.Core.Tokenizers.PreTokenizers;

internal static class PreTokenizerReader
{
    private const string Known = "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, UnicodeScripts, Whitespace, WhitespaceSplit";

    /// <param name="writesBytes">Whether ByteLevel writes the stand-ins of bytes, or leaves that to the model.</param>
    public static IPreTokenizer Read(JsonView view, bool writesBytes)
    {
        string type = view["type"].AsString();
        return type switch
        {
            "Sequence" => ReadSequence(view, writesBytes),
            "ByteLevel" => new ByteLevelPreTokenizer(view.OptionalBool("add_prefix_space", true), view.OptionalBool("use_regex", true), writesBytes),
            "Split" => ReadSplit(view),
            "Digits" => new DigitsPreTokenizer(view.OptionalBool("individual_digits", false)),
            "Metaspace" => CreateMetaspace(view),
            "Whitespace" => new WhitespacePreTokenizer(),
            "WhitespaceSplit" => CodePointPreTokenizer.AtWhitespace(),
            "BertPreTokenizer" => new BertPreTokenizer(),
            "Punctuation" => CodePointPreTokenizer.AtPunctuation(view.TryGet("behavior", out JsonView behavior) ? behavior.AsEnum<SplitBehavior>() : SplitBehavior.Isolated),
            "CharDelimiterSplit" => CodePointPreTokenizer.AtDelimiter(ReadCodePoint(view["delimiter"])),
            "UnicodeScripts" => new UnicodeScriptsPreTokenizer(),
            "FixedLength" => new FixedLengthPreTokenizer(ReadLength(view)),
            _ => throw view.Error("LB0204", $"the pre-tokenizer type \"{type}\" is not known; known are {Known}"),
        };
    }

    /// <summary>Metaspace's settings, from new keys (<c>prepend_scheme</c>) and old (<c>add_prefix_space</c>); the decoder has the same.</summary>
    public static (string Replacement, PrependScheme Scheme, bool Splits) ReadMetaspace(JsonView view)
    {
        string replacement = view["replacement"].AsString();
        ReadCodePoint(view["replacement"]);
        PrependScheme scheme = PrependScheme.Always;
        if (view.TryGet("prepend_scheme", out JsonView named))
        {
            scheme = named.AsString() switch
            {
                "always" => PrependScheme.Always,
                "never" => PrependScheme.Never,
                "first" => PrependScheme.First,
                string other => throw named.Error("LB0203", $"the scheme \"{other}\" is not always, never or first"),
            };
        }

        // Old files may say it twice; the library refuses a contradiction.
        if (view.TryGet("add_prefix_space", out JsonView adds) && !adds.AsBool())
        {
            if (scheme != PrependScheme.Never)
                throw adds.Error("LB0203", "add_prefix_space is false, but prepend_scheme is not \"never\"");
        }

        return (replacement, scheme, view.OptionalBool("split", true));
    }

    private static MetaspacePreTokenizer CreateMetaspace(JsonView view)
    {
        (string replacement, PrependScheme scheme, bool splits) = ReadMetaspace(view);
        return new MetaspacePreTokenizer(replacement, scheme, splits);
    }

    private static int ReadLength(JsonView view)
    {
        int length = view.TryGet("length", out JsonView value) ? value.AsInt() : 5;
        return length > 0 ? length : throw view.Error("LB0203", $"the length must be at least 1, got {length}");
    }

    private static int ReadCodePoint(JsonView view)
    {
        string text = view.AsString();
        return System.Text.Rune.TryGetRuneAt(text.Length == 0 ? " " : text, 0, out System.Text.Rune rune) && rune.Utf16SequenceLength == text.Length
            ? rune.Value
            : throw view.Error("LB0203", $"one character is expected, got \"{text}\"");
    }

    /// <summary>Whether the last step, and no step before it, turns text into bytes.</summary>
    public static bool EndsInByteLevel(JsonView view)
    {
        string type = view["type"].AsString();
        if (type != "Sequence")
            return type == "ByteLevel";
        JsonView[] items = [.. view["pretokenizers"].Items()];
        return items.Length > 0 && EndsInByteLevel(items[^1]) && !items[..^1].Any(HasByteLevel);
    }

    /// <summary>Whether a step asks if its piece begins the text.</summary>
    public static bool LooksAtTextStart(JsonView view) => view["type"].AsString() switch
    {
        "Sequence" => view["pretokenizers"].Items().Any(LooksAtTextStart),
        "Metaspace" => ReadMetaspace(view).Scheme == PrependScheme.First,
        _ => false,
    };

    private static bool HasByteLevel(JsonView view)
    {
        string type = view["type"].AsString();
        return type == "ByteLevel" || (type == "Sequence" && view["pretokenizers"].Items().Any(HasByteLevel));
    }

    private static SequencePreTokenizer ReadSequence(JsonView view, bool writesBytes) =>
        new([.. view["pretokenizers"].Items().Select(item => Read(item, writesBytes))]);

    private static SplitPreTokenizer ReadSplit(JsonView view)
    {
        (Regex.OnigRegex? regex, string? text) = PatternReader.Read(view["pattern"]);
        return new SplitPreTokenizer(regex, text, view["behavior"].AsEnum<SplitBehavior>(), view.OptionalBool("invert", false));
    }
}
