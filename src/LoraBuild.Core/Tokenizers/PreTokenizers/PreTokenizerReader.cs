// Chooses a pre-tokenizer by its type.
namespace LoraBuild.Core.Tokenizers.PreTokenizers;

internal static class PreTokenizerReader
{
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
            _ => throw view.Error("LB0204", $"the pre-tokenizer type \"{type}\" is not supported"),
        };
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
        return new SplitPreTokenizer(regex, text, ReadBehavior(view["behavior"]), view.OptionalBool("invert", false));
    }

    private static SplitBehavior ReadBehavior(JsonView view)
    {
        string name = view.AsString();
        return Enum.TryParse(name, out SplitBehavior behavior) && Enum.GetName(behavior) == name
            ? behavior
            : throw view.Error("LB0203", $"the behavior \"{name}\" is not one of {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
    }
}
