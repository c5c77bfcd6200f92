// The result of a training, written as Hugging Face's tokenizer.json.
using System.Text.Encodings.Web;
using System.Text.Json;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Tokenizers.Training;

public sealed class TrainedBpe
{
    private readonly BpeTrainerOptions options;
    private readonly List<string> vocabulary;
    private readonly List<(int Left, int Right)> merges;

    internal TrainedBpe(BpeTrainerOptions options, List<string> vocabulary, List<(int Left, int Right)> merges)
    {
        this.options = options;
        this.vocabulary = vocabulary;
        this.merges = merges;
    }

    /// <summary>The number of tokens; smaller than asked for when the text had no more frequent pairs.</summary>
    public int VocabularySize => vocabulary.Count;

    public int MergeCount => merges.Count;

    /// <summary>Writes tokenizer.json in one step: an older file stays until the new one is complete.</summary>
    /// <param name="path">The file, mostly DIR/tokenizer.json.</param>
    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        JsonWriterOptions format = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using Utf8JsonWriter json = new(stream, format);
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        WriteAddedTokens(json);
        json.WriteNull("normalizer");
        WritePreTokenizer(json);
        json.WriteNull("post_processor");
        json.WritePropertyName("decoder");
        WriteByteLevel(json);
        WriteModel(json);
        json.WriteEndObject();
    });

    private void WriteAddedTokens(Utf8JsonWriter json)
    {
        json.WriteStartArray("added_tokens");
        for (int id = 0; id < options.SpecialTokens.Count; id++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", id);
            json.WriteString("content", options.SpecialTokens[id]);
            json.WriteBoolean("single_word", false);
            json.WriteBoolean("lstrip", false);
            json.WriteBoolean("rstrip", false);
            json.WriteBoolean("normalized", false);
            json.WriteBoolean("special", true);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WritePreTokenizer(Utf8JsonWriter json)
    {
        json.WritePropertyName("pre_tokenizer");
        if (options.PreTokenizer == BytePreTokenizer.Gpt2)
        {
            WriteByteLevel(json);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Digits");
        json.WriteBoolean("individual_digits", true);
        json.WriteEndObject();
        WriteByteLevel(json);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        for (int id = 0; id < vocabulary.Count; id++)
            json.WriteNumber(vocabulary[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((int left, int right) in merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(vocabulary[left]);
            json.WriteStringValue(vocabulary[right]);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
