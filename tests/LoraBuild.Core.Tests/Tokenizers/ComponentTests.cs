// Single components against the reference library's: normalizers, pre-tokenizers, decoders, the BPE model, ids of added tokens.
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Core.Tokenizers.Decoders;
using LoraBuild.Core.Tokenizers.Models;
using LoraBuild.Core.Tokenizers.Normalizers;
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tests.Tokenizers;

public sealed class ComponentTests
{
    private static IEnumerable<JsonElement> Components(string kind) =>
        TokenizerGolden.Lines("components.jsonl").Where(l => l.GetProperty("kind").GetString() == kind);

    private static JsonView View(JsonElement element) => JsonSource.Parse(System.Text.Encoding.UTF8.GetBytes(element.GetRawText()), "test.json").Root;

    private static TextPiece Piece(string text) => new(new AlignedText(text), 0, text.Length);

    [Fact]
    public void Normalizers_give_the_reference_text_with_and_without_places()
    {
        Differences differences = new();
        foreach (JsonElement line in Components("normalizer"))
        {
            INormalizer normalizer = NormalizerReader.Read(View(line.GetProperty("config")));
            foreach (JsonElement c in line.GetProperty("cases").EnumerateArray())
            {
                string text = c[0].GetString()!;
                differences.Compare(c[1].GetString(), normalizer.Normalize(Piece(text), hasPlaces: true).Span.ToString(), () => $"{line.GetProperty("config")} of {TokenizerGolden.Show(text)}");
                differences.Compare(c[1].GetString(), normalizer.Normalize(Piece(text), hasPlaces: false).Span.ToString(), () => $"{line.GetProperty("config")} without places of {TokenizerGolden.Show(text)}");
            }
        }

        differences.AssertNone();
    }

    [Fact]
    public void Pre_tokenizers_give_the_reference_pieces_and_places()
    {
        Differences differences = new();
        foreach (JsonElement line in Components("pre_tokenizer"))
        {
            JsonElement config = line.GetProperty("config");
            if (line.TryGetProperty("load_error", out _))
            {
                Assert.Throws<DiagnosticException>(() => PreTokenizerReader.Read(View(config), writesBytes: true));
                continue;
            }

            IPreTokenizer preTokenizer = PreTokenizerReader.Read(View(config), writesBytes: true);
            foreach (JsonElement c in line.GetProperty("cases").EnumerateArray())
            {
                string text = c[0].GetString()!;
                List<TextPiece> pieces = [];
                if (text.Length > 0)
                    preTokenizer.Split(Piece(text), new PreTokenizeContext(new RegexScratch(), HasPlaces: true), pieces);
                CodePointIndex index = new(text);
                differences.Compare(
                    c[1].EnumerateArray().Select(p => $"{TokenizerGolden.Show(p[0].GetString()!)}{p[1]}-{p[2]}"),
                    pieces.Select(p => $"{TokenizerGolden.Show(p.Span.ToString())}{index.Of(p.Text.StartOf(p.Start))}-{index.Of(p.Text.EndOf(p.End - 1))}"),
                    () => $"{config} of {TokenizerGolden.Show(text)}");
            }
        }

        differences.AssertNone();
    }

    [Fact]
    public void Decoders_give_the_reference_text()
    {
        Differences differences = new();
        foreach (JsonElement line in Components("decoder"))
        {
            IDecoder decoder = DecoderReader.Read(View(line.GetProperty("config")));
            foreach (JsonElement c in line.GetProperty("cases").EnumerateArray())
            {
                List<string> tokens = [.. c[0].EnumerateArray().Select(t => t.GetString()!)];
                differences.Compare(c[1].GetString(), string.Concat(decoder.Decode(tokens)), () => $"{line.GetProperty("config")} of {c[0]}");
            }
        }

        differences.AssertNone();
    }

    [Fact]
    public void The_bpe_model_gives_the_reference_tokens()
    {
        Differences differences = new();
        foreach (JsonElement line in Components("bpe_model"))
        {
            IModel model = ModelReader.Read(View(line.GetProperty("model")), null);
            foreach (JsonElement c in line.GetProperty("cases").EnumerateArray())
            {
                string text = c[0].GetString()!;
                TokenBuffer buffer = new(hasPlaces: true);
                if (text.Length > 0)
                    model.Tokenize(text, new ModelScratch(), buffer);
                string what = $"{line.GetProperty("note")}: {TokenizerGolden.Show(text)}";
                differences.Compare(c[1].EnumerateArray().Select(i => i.GetInt32()), buffer.Ids.ToArray(), () => what);
                CodePointIndex index = new(text);
                int[] expected = [.. c[3].EnumerateArray().SelectMany(o => o.ValueKind == JsonValueKind.Array ? o.EnumerateArray().Select(x => x.GetInt32()) : [o.GetInt32()])];
                int[] starts = buffer.Starts.ToArray();
                int[] ends = buffer.Ends.ToArray();
                differences.Compare(expected, starts.SelectMany((s, i) => new[] { index.Of(s), index.Of(ends[i]) }), () => $"offsets, {what}");
            }
        }

        differences.AssertNone();
    }

    [Fact]
    public void Added_tokens_get_the_ids_that_the_reference_gives_them()
    {
        Differences differences = new();
        foreach (JsonElement line in Components("added_ids"))
        {
            using TemporaryTokenizer files = new();
            files.Write("tokenizer.json", line.GetProperty("tokenizer_json").GetRawText());
            Tokenizer tokenizer = Tokenizer.Load(files.Path);
            foreach (JsonProperty entry in line.GetProperty("vocab").EnumerateObject())
                differences.Compare([entry.Value.GetInt32()], [tokenizer.TokenToId(entry.Name) ?? -1], () => $"{line.GetProperty("note")}: {entry.Name}");
            differences.Compare([line.GetProperty("size").GetInt32()], [Enumerable.Range(0, tokenizer.VocabularySize).Count(id => tokenizer.IdToToken(id) is not null)], () => $"{line.GetProperty("note")}: size");
        }

        differences.AssertNone();
    }
}

/// <summary>A tokenizer directory made for one test.</summary>
internal sealed class TemporaryTokenizer : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("lorabuild-tokenizer-").FullName;

    public void Write(string file, string content) => File.WriteAllText(System.IO.Path.Combine(Path, file), content);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
