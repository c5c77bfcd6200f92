// Chooses a post-processor by its type.
using System.Text.Json;

namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal static class PostProcessorReader
{
    public static IPostProcessor Read(JsonView view)
    {
        string type = view["type"].AsString();
        return type switch
        {
            "Sequence" => new SequencePostProcessor([.. view["processors"].Items().Select(Read)]),
            "ByteLevel" => new ByteLevelPostProcessor(view.OptionalBool("add_prefix_space", true), view.OptionalBool("trim_offsets", true)),
            "TemplateProcessing" => ReadTemplate(view),
            "RobertaProcessing" => new RobertaPostProcessor(ReadPair(view["cls"]), ReadPair(view["sep"]), view.OptionalBool("trim_offsets", true), view.OptionalBool("add_prefix_space", true)),
            "BertProcessing" => new BertPostProcessor(ReadPair(view["cls"]), ReadPair(view["sep"])),
            _ => throw view.Error("LB0204", $"the post-processor type \"{type}\" is not known; known are BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing"),
        };
    }

    /// <summary>Bert's and Roberta's tokens are written as <c>["&lt;s&gt;", 0]</c>.</summary>
    private static (int Id, string Token) ReadPair(JsonView view)
    {
        JsonView[] items = [.. view.Items()];
        return items.Length == 2 ? (items[1].AsInt(), items[0].AsString()) : throw view.Error("LB0203", "a pair of token and id is expected");
    }

    private static TemplatePostProcessor ReadTemplate(JsonView view)
    {
        Dictionary<string, List<(int, string)>> specials = new(StringComparer.Ordinal);
        if (view.TryGet("special_tokens", out JsonView tokens))
        {
            foreach ((string name, JsonView token) in tokens.Properties())
            {
                int[] ids = [.. token["ids"].Items().Select(i => i.AsInt())];
                string[] texts = [.. token["tokens"].Items().Select(t => t.AsString())];
                if (ids.Length != texts.Length)
                    throw token.Error("LB0203", $"{ids.Length} ids for {texts.Length} tokens");
                specials[name] = [.. ids.Zip(texts)];
            }
        }

        return new TemplatePostProcessor(ReadParts(view["single"], specials, sequences: 1), ReadParts(view["pair"], specials, sequences: 2));
    }

    private static List<TemplatePart> ReadParts(JsonView view, Dictionary<string, List<(int, string)>> specials, int sequences)
    {
        List<TemplatePart> parts = [];
        foreach (JsonView item in view.Items())
        {
            if (item.TryGet("Sequence", out JsonView sequence))
            {
                string id = sequence["id"].AsString();
                if (id is not ("A" or "B") || (id == "B" && sequences == 1))
                    throw sequence.Error("LB0203", $"the template names the text \"{id}\"; known are A, and B in the template of a pair");
                parts.Add(new TemplatePart(id == "A" ? 0 : 1, TypeId(sequence), []));
                continue;
            }

            JsonView special = item["SpecialToken"];
            string name = special["id"].AsString();
            if (!specials.TryGetValue(name, out List<(int, string)>? tokens))
                throw special.Error("LB0203", $"the template uses the special token \"{name}\", which special_tokens does not define");
            parts.Add(new TemplatePart(-1, TypeId(special), tokens));
        }

        return parts;
    }

    private static int TypeId(JsonView view) => view.TryGet("type_id", out JsonView id) && id.Kind == JsonValueKind.Number ? id.AsInt() : 0;
}
