// A tokenizer.json made usable: text to token ids and back, exactly as Hugging Face's library does it.
using System.Collections.Concurrent;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers.Decoders;
using LoraBuild.Core.Tokenizers.Models;
using LoraBuild.Core.Tokenizers.PostProcessors;
using LoraBuild.Core.Tokenizers.PreTokenizers;
using LoraBuild.Core.Tokenizers.SentencePiece;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers;

/// <summary>
/// The pipeline: added tokens are cut out (raw, then normalized) → normalizer → pre-tokenizer → model → post-processor; and the decoder back.
/// <c>truncation</c> and <c>padding</c> of the file are applied only by <see cref="EncodeBatch"/>: a plain transformers call switches them off, and training needs
/// whole texts. Thread-safe. Source: tokenizers 0.23.
/// </summary>
public sealed class Tokenizer
{
    private readonly TokenizerPipeline pipeline;
    private readonly TokenizerConfig config;
    private readonly ConcurrentBag<EncodeScratch> scratches = [];
    private readonly (int[] Before, int[] Behind)? around;

    internal Tokenizer(TokenizerPipeline pipeline, TokenizerConfig config)
    {
        this.pipeline = pipeline;
        this.config = config;
        around = pipeline.NeedsPlaces ? null : pipeline.PostProcessor is null ? ([], []) : pipeline.PostProcessor.Around;
        int size = pipeline.Model.Vocabulary.Size;
        foreach (AddedToken token in pipeline.Added.Tokens)
            size = Math.Max(size, token.Id + 1);
        VocabularySize = size;
        SortedDictionary<string, string> variables = new(StringComparer.Ordinal);
        foreach ((string role, NamedToken token) in config.Roles)
            variables[role] = token.Content;
        ConfigVariables = variables;
    }

    /// <summary>The largest id + 1, added tokens included: the rows that an embedding needs.</summary>
    public int VocabularySize { get; }

    /// <summary>All added tokens with the ids that they really have.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => pipeline.Added.Tokens;

    public string? BosToken => RoleToken("bos_token");

    public string? EosToken => RoleToken("eos_token");

    public string? PadToken => RoleToken("pad_token");

    public string? UnkToken => RoleToken("unk_token");

    public int? BosTokenId => RoleId("bos_token");

    public int? EosTokenId => RoleId("eos_token");

    public int? PadTokenId => RoleId("pad_token");

    public int? UnkTokenId => RoleId("unk_token");

    /// <summary>The default chat template: chat_template.jinja, else that of tokenizer_config.json; null where the model has none.</summary>
    public string? ChatTemplateSource => config.ChatTemplates.GetValueOrDefault("default");

    /// <summary>All chat templates by name (<c>default</c>, <c>tool_use</c>, …).</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates => config.ChatTemplates;

    /// <summary>The special tokens by role (<c>bos_token</c>, …), as chat templates see them.</summary>
    public IReadOnlyDictionary<string, string> ConfigVariables { get; }

    /// <summary>The file's <c>truncation</c> section; null where there is none.</summary>
    public TruncationOptions? Truncation => pipeline.Truncation;

    /// <summary>The file's <c>padding</c> section; null where there is none.</summary>
    public PaddingOptions? Padding => pipeline.Padding;

    /// <summary>Where tokenizer_config.json wants padding.</summary>
    public CutDirection PaddingSide => config.PaddingSide;

    /// <summary>Where tokenizer_config.json wants long texts to be cut.</summary>
    public CutDirection TruncationSide => config.TruncationSide;

    /// <summary>The files of which one makes a directory a tokenizer, in the order in which they are looked for.</summary>
    public static IReadOnlyList<string> FileNames { get; } = ["tokenizer.json", .. SentencePieceConverter.FileNames];

    /// <summary>Reads tokenizer.json, or the SentencePiece model where there is none; tokenizer_config.json, special_tokens_map.json and chat_template.jinja.</summary>
    /// <param name="sink">Gets warnings, such as gaps in the ids.</param>
    /// <exception cref="DiagnosticException">LB02xx: a file is missing or damaged, or asks for what is not supported.</exception>
    public static Tokenizer Load(string directory, IDiagnosticSink? sink = null)
    {
        TokenizerConfig config = TokenizerConfig.Load(directory);
        string file = Path.Combine(directory, FileNames.FirstOrDefault(name => File.Exists(Path.Combine(directory, name)), FileNames[0]));
        if (!File.Exists(file) && File.Exists(Path.Combine(directory, "vocab.json")))
        {
            throw new DiagnosticException("LB0201",
                "there is no tokenizer.json, only a vocab.json, which does not say how text is split. Write one with Hugging Face's libraries: AutoTokenizer.from_pretrained(…).save_pretrained(…)", file);
        }

        (JsonSource source, config) = Path.GetFileName(file) == FileNames[0] ? (JsonSource.Read(file), config) : SentencePieceConverter.Convert(file, config);
        return new Tokenizer(TokenizerReader.Read(source, config, sink), config);
    }

    /// <summary>The tokens of a text with their places.</summary>
    /// <param name="text">Lone surrogates are read as U+FFFD; NUL is a character like any other.</param>
    /// <param name="addSpecialTokens">Whether the post-processor adds its tokens (BOS …).</param>
    /// <param name="splitSpecialTokens">Treat special tokens in the text as plain text. Also where tokenizer_config.json says <c>split_special_tokens</c>.</param>
    /// <exception cref="DiagnosticException">LB0208: the tokenizer's pattern needs too many steps on this text.</exception>
    public Encoding Encode(string text, bool addSpecialTokens = true, bool splitSpecialTokens = false) =>
        EncodeParts(text, null, addSpecialTokens, splitSpecialTokens, null);

    /// <summary>Without the post-processor's tokens; no added token is seen that would take one of the guarded places.</summary>
    /// <param name="guarded">Places of the text in UTF-16 units, in order.</param>
    /// <exception cref="DiagnosticException">LB0208.</exception>
    internal Encoding EncodeWithGuard(string text, int[] guarded)
    {
        EncodeScratch scratch = Rent();
        Encoding encoding = EncodeOne(text, splitSpecialTokens: false, scratch, guarded);
        scratches.Add(scratch);
        return PostProcessing.Run(pipeline.PostProcessor, encoding, null, addSpecialTokens: false);
    }

    /// <summary>The tokens of two texts, joined as the post-processor says.</summary>
    public Encoding EncodePair(string first, string second, bool addSpecialTokens = true, bool splitSpecialTokens = false) =>
        EncodeParts(first, second, addSpecialTokens, splitSpecialTokens, null);

    /// <summary>Texts, or pairs of them, cut and filled up as a batch for a model.</summary>
    /// <param name="truncation">Null: nothing is cut. <see cref="Truncation"/> has what the file says.</param>
    /// <param name="padding">Null: nothing is filled up. <see cref="Padding"/> has what the file says.</param>
    /// <exception cref="DiagnosticException">LB0214: a text cannot be cut in this way.</exception>
    public Encoding[] EncodeBatch(IEnumerable<(string First, string? Second)> texts, bool addSpecialTokens = true, TruncationOptions? truncation = null, PaddingOptions? padding = null)
    {
        Encoding[] encodings = [.. texts.Select(t => EncodeParts(t.First, t.Second, addSpecialTokens, false, truncation))];
        return padding is null ? encodings : padding.Apply(encodings);
    }

    /// <summary>Only the ids, without the work that places cost.</summary>
    public int[] EncodeToIds(string text, bool addSpecialTokens = true, bool splitSpecialTokens = false)
    {
        splitSpecialTokens |= config.SplitsSpecialTokens;
        if (around is not (int[] before, int[] behind))
            return Encode(text, addSpecialTokens, splitSpecialTokens).Ids;
        text = UnicodeClasses.WithoutLoneSurrogates(text);
        EncodeScratch scratch = Rent();
        TokenBuffer ids = scratch.Ids;
        ids.Clear();
        if (addSpecialTokens)
            ids.AddRange(before);
        scratch.Segments.Clear();
        pipeline.Added.Split(Whole(text), splitSpecialTokens, hasPlaces: false, scratch.Segments);
        foreach (Segment segment in scratch.Segments)
        {
            if (segment.AddedId >= 0)
            {
                ids.Add(segment.AddedId, 0, 0);
                continue;
            }

            foreach (TextPiece word in Words(segment.Piece, scratch, scratch.IdsContext))
                pipeline.Model.Tokenize(word.Span, scratch.Model, ids);
        }

        if (addSpecialTokens)
            ids.AddRange(behind);
        int[] result = ids.Ids.ToArray();
        scratches.Add(scratch);
        return result;
    }

    /// <summary>The text of ids. Ids that do not exist are skipped; bytes that are not UTF-8 become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        List<string> tokens = new(ids.Length);
        foreach (int id in ids)
        {
            if (IdToToken(id) is { } token && !(skipSpecialTokens && pipeline.Added.IsSpecial(token)))
                tokens.Add(token);
        }

        string text = pipeline.Decoder is null ? string.Join(' ', tokens) : string.Concat(pipeline.Decoder.Decode(tokens));
        bool cleansUp = config.CleansUpSpaces && (config.CleansUpBpe || pipeline.Model is not BpeModel);
        return cleansUp ? WordPieceDecoder.CleanUpText(text) : text;
    }

    public int? TokenToId(string token) => pipeline.Added.IdOf(token) ?? pipeline.Model.Vocabulary.IdOf(token);

    /// <summary>The string of an id, or null where there is none. An added token that is looked for in normalized text shows its normalized form.</summary>
    public string? IdToToken(int id) => pipeline.Added.ContentOf(id) ?? pipeline.Model.Vocabulary.TokenOf(id);

    private string? RoleToken(string role) => config.Roles.TryGetValue(role, out NamedToken? token) ? token.Content : null;

    private int? RoleId(string role) => RoleToken(role) is { } token ? TokenToId(token) : null;

    private static TextPiece Whole(string text) => new(new AlignedText(text), 0, text.Length);

    private EncodeScratch Rent() => scratches.TryTake(out EncodeScratch? scratch) ? scratch : new EncodeScratch();

    private List<TextPiece> Words(TextPiece piece, EncodeScratch scratch, PreTokenizeContext context)
    {
        scratch.Words.Clear();
        if (pipeline.PreTokenizer is null)
        {
            if (piece.Length > 0)
                scratch.Words.Add(piece);
        }
        else
            pipeline.PreTokenizer.Split(piece, context, scratch.Words);
        return scratch.Words;
    }

    private Encoding EncodeParts(string first, string? second, bool addSpecialTokens, bool splitSpecialTokens, TruncationOptions? truncation)
    {
        EncodeScratch scratch = Rent();
        Encoding one = EncodeOne(first, splitSpecialTokens, scratch);
        Encoding? two = second is null ? null : EncodeOne(second, splitSpecialTokens, scratch);
        scratches.Add(scratch);
        if (truncation is not null)
            (one, two) = truncation.Apply(one, two, addSpecialTokens ? pipeline.PostProcessor?.AddedTokens(two is not null) ?? 0 : 0);
        return PostProcessing.Run(pipeline.PostProcessor, one, two, addSpecialTokens);
    }

    private Encoding EncodeOne(string text, bool splitSpecialTokens, EncodeScratch scratch, int[]? guarded = null)
    {
        splitSpecialTokens |= config.SplitsSpecialTokens;
        text = UnicodeClasses.WithoutLoneSurrogates(text);
        CodePointIndex index = new(text);
        TokenColumns columns = scratch.Columns;
        columns.Clear();
        scratch.Segments.Clear();
        pipeline.Added.Split(Whole(text), splitSpecialTokens, hasPlaces: true, scratch.Segments, guarded);
        foreach (Segment segment in scratch.Segments)
        {
            if (segment.AddedId >= 0)
            {
                columns.AddAdded(segment.AddedId, segment.Piece, index);
                continue;
            }

            foreach (TextPiece word in Words(segment.Piece, scratch, scratch.PlacesContext))
                columns.AddWord(pipeline.Model, word, scratch.Model, index);
        }

        return columns.ToEncoding(pipeline.Model.Vocabulary);
    }
}
