// Chooses a model by its type and reads its vocabulary.
using System.Text.Json;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tokenizers.Models;

internal static class ModelReader
{
    public static IModel Read(JsonView view, IDiagnosticSink? sink)
    {
        // Old GPT-2 files have no type: merges make it a BPE.
        string? type = view.OptionalString("type") ?? (view.TryGet("merges", out _) ? "BPE" : throw view.Error("LB0203", "the key \"type\" is missing"));
        return type switch
        {
            "BPE" => ReadBpe(view, sink),
            "WordPiece" => ReadWordPiece(view, sink),
            "WordLevel" => ReadWordLevel(view, sink),
            "Unigram" => ReadUnigram(view),
            _ => throw view.Error("LB0204", $"the model type \"{type}\" is not known; known are BPE, Unigram, WordLevel, WordPiece"),
        };
    }

    private static BpeModel ReadBpe(JsonView view, IDiagnosticSink? sink)
    {
        if (view.TryGet("dropout", out JsonView dropout) && dropout.AsDouble() > 0)
            throw dropout.Error("LB0204", "a BPE with dropout gives random tokens; set it to null");
        Vocabulary vocabulary = ReadVocabulary(view["vocab"], sink);
        BpeOptions options = new()
        {
            UnknownToken = view.OptionalString("unk_token"),
            ContinuingSubwordPrefix = view.OptionalString("continuing_subword_prefix") ?? "",
            EndOfWordSuffix = view.OptionalString("end_of_word_suffix") ?? "",
            FusesUnknown = view.OptionalBool("fuse_unk", false),
            HasByteFallback = view.OptionalBool("byte_fallback", false),
            IgnoresMerges = view.OptionalBool("ignore_merges", false),
        };
        if (options.UnknownToken is { } unknown && vocabulary.IdOf(unknown) is null)
            throw view["unk_token"].Error("LB0205", $"the unknown token \"{unknown}\" is not in the vocabulary");
        return new BpeModel(vocabulary, ReadMerges(view["merges"], vocabulary, options.ContinuingSubwordPrefix.Length), options);
    }

    private static WordPieceModel ReadWordPiece(JsonView view, IDiagnosticSink? sink)
    {
        Vocabulary vocabulary = ReadVocabulary(view["vocab"], sink);
        int unknown = vocabulary.IdOf(view["unk_token"].AsString()) ?? throw view["unk_token"].Error("LB0205", "the unknown token is not in the vocabulary");
        int longest = view.TryGet("max_input_chars_per_word", out JsonView most) ? most.AsInt() : 100;
        return new WordPieceModel(vocabulary, unknown, view.OptionalString("continuing_subword_prefix") ?? "##", longest);
    }

    private static WordLevelModel ReadWordLevel(JsonView view, IDiagnosticSink? sink)
    {
        Vocabulary vocabulary = ReadVocabulary(view["vocab"], sink);
        return new WordLevelModel(vocabulary, view.OptionalString("unk_token") is { } unknown ? vocabulary.IdOf(unknown) : null);
    }

    /// <summary>Unigram's vocabulary is a list of [token, log probability]; the place in the list is the id.</summary>
    private static UnigramModel ReadUnigram(JsonView view)
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        List<double> scores = [];
        foreach (JsonView item in view["vocab"].Items())
        {
            JsonView[] pair = [.. item.Items()];
            if (pair.Length != 2)
                throw item.Error("LB0205", "an entry is a token and its log probability");
            // Of a token that stands twice the later entry counts, as in the library.
            ids[pair[0].AsString()] = scores.Count;
            scores.Add(pair[1].AsLibraryDouble());
        }

        int unknown = view.TryGet("unk_id", out JsonView id) ? id.AsInt() : -1;
        if (unknown >= scores.Count)
            throw id.Error("LB0205", $"the unknown token's id {unknown} is not below the vocabulary's size {scores.Count}");
        return new UnigramModel(new Vocabulary(ids), [.. scores], unknown, view.OptionalBool("byte_fallback", false));
    }

    /// <summary>Token to id. Two tokens with one id are an error; a gap is a warning, because published models have some.</summary>
    internal static Vocabulary ReadVocabulary(JsonView view, IDiagnosticSink? sink)
    {
        if (view.Kind != JsonValueKind.Object)
            view.Properties(); // says what is wrong
        int count = view.Element.GetPropertyCount();
        Dictionary<string, int> ids = new(count, StringComparer.Ordinal);
        Dictionary<int, string> tokens = new(count);
        int largest = -1;
        foreach (JsonProperty property in view.Element.EnumerateObject())
        {
            string token = property.Name;
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out int id))
                throw Place(property).Error("LB0205", "a token's id must be a whole number");
            if (id is < 0 or > 100_000_000)
                throw Place(property).Error("LB0205", $"the id {id} of \"{token}\" is out of range; ids count from 0");
            if (!tokens.TryAdd(id, token) && tokens[id] != token)
                throw Place(property).Error("LB0205", $"the id {id} stands for two tokens, \"{tokens[id]}\" and \"{token}\"");
            ids[token] = id;
            largest = Math.Max(largest, id);
        }

        if (tokens.Count != largest + 1)
        {
            int gap = Enumerable.Range(0, largest).First(id => !tokens.ContainsKey(id));
            sink?.Report(Diagnostic.Warning("LB0210", $"the vocabulary has {largest + 1 - tokens.Count} gaps in its ids; the first is {gap}", view.Source.File, view.Source.LineOf(view.Element)));
        }

        return new Vocabulary(ids);

        JsonView Place(JsonProperty property) => new(view.Source, property.Value, $"{view.Path}.{property.Name}");
    }

    /// <summary>Merges are <c>"a b"</c> or <c>["a", "b"]</c>; the first has rank 0.</summary>
    private static MergeTable ReadMerges(JsonView view, Vocabulary vocabulary, int prefixLength)
    {
        if (view.Kind != JsonValueKind.Array)
            throw view.Error("LB0203", "an array of merges is expected");
        MergeTable table = new(view.Element.GetArrayLength());
        int rank = 0;
        foreach (JsonElement element in view.Element.EnumerateArray())
        {
            // A view with its path is only made where there is something to say: there are hundreds of thousands of merges.
            (string left, string right) = TryReadPair(element) ?? ReadMerge(Place(element, rank));
            if (vocabulary.IdOf(left) is { } leftId && vocabulary.IdOf(right) is { } rightId && right.Length >= prefixLength
                && vocabulary.IdOf(string.Concat(left, right.AsSpan(prefixLength))) is { } merged)
                table.Add(leftId, rightId, rank++, merged);
            else
                throw Refuse(left, right, Place(element, rank), vocabulary, prefixLength);
        }

        return table;

        JsonView Place(JsonElement element, int index) => new(view.Source, element, $"{view.Path}[{index}]");
    }

    private static DiagnosticException Refuse(string left, string right, JsonView merge, Vocabulary vocabulary, int prefixLength)
    {
        foreach (string token in (string[])[left, right])
        {
            if (vocabulary.IdOf(token) is null)
                return Unknown(token);
        }

        return right.Length < prefixLength
            ? merge.Error("LB0206", $"\"{right}\" does not begin with the continuing prefix")
            : Unknown(string.Concat(left, right.AsSpan(prefixLength)));

        DiagnosticException Unknown(string token) => merge.Error("LB0206", $"the merge names \"{token}\", which is not in the vocabulary");
    }

    /// <summary>A merge in the form of two strings; null for any other, or what cannot be read.</summary>
    private static (string Left, string Right)? TryReadPair(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Array || element.GetArrayLength() != 2 || element[0].ValueKind != JsonValueKind.String || element[1].ValueKind != JsonValueKind.String)
            return null;
        try
        {
            return (element[0].GetString()!, element[1].GetString()!);
        }
        catch (InvalidOperationException)
        {
            return null; // half a surrogate pair: read again where the place is known
        }
    }

    private static (string Left, string Right) ReadMerge(JsonView merge)
    {
        if (merge.Kind == JsonValueKind.Array)
        {
            string[] parts = [.. merge.Items().Select(p => p.AsString())];
            return parts.Length == 2 ? (parts[0], parts[1]) : throw merge.Error("LB0206", $"a merge has two parts, got {parts.Length}");
        }

        string text = merge.AsString();
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        return space > 0 && space < text.Length - 1 && text.IndexOf(' ', space + 1) < 0
            ? (text[..space], text[(space + 1)..])
            : throw merge.Error("LB0206", $"a merge is two tokens with one space between them, got \"{text}\"");
    }
}
