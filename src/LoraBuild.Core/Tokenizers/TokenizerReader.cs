// Reads tokenizer.json into the stages of a pipeline.
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers.Decoders;
using LoraBuild.Core.Tokenizers.Models;
using LoraBuild.Core.Tokenizers.Normalizers;
using LoraBuild.Core.Tokenizers.PostProcessors;
using LoraBuild.Core.Tokenizers.PreTokenizers;

namespace LoraBuild.Core.Tokenizers;

internal static class TokenizerReader
{
    /// <exception cref="DiagnosticException">LB0203–LB0209: the file is damaged or asks for what is not supported.</exception>
    public static TokenizerPipeline Read(JsonSource source, TokenizerConfig config, IDiagnosticSink? sink)
    {
        JsonView root = source.Root;
        INormalizer? normalizer = root.TryGet("normalizer", out JsonView n) ? NormalizerReader.Read(n) : null;
        bool readsBytes = false;
        BpeModel? bpe = null;
        JsonView modelView = root["model"];
        IModel model = ModelReader.Read(modelView, sink);
        IPreTokenizer? preTokenizer = null;
        if (root.TryGet("pre_tokenizer", out JsonView p))
        {
            bpe = model as BpeModel;
            readsBytes = bpe is { CanReadBytes: true } && PreTokenizerReader.EndsInByteLevel(p);
            preTokenizer = PreTokenizerReader.Read(p, writesBytes: !readsBytes);
        }

        if (readsBytes)
            model = bpe!.AsByteReader();
        List<AddedToken> added = ReadAddedTokens(root, model.Vocabulary, config);
        AddedVocabulary vocabulary = new(added, normalizer);
        IPostProcessor? postProcessor = root.TryGet("post_processor", out JsonView o) ? PostProcessorReader.Read(o) : null;
        IDecoder? decoder = root.TryGet("decoder", out JsonView d) ? DecoderReader.Read(d) : null;
        if (added.Find(t => vocabulary.ContentOf(t.Id)!.Length == 0) is { } empty)
            throw root["added_tokens"].Error("LB0204", $"the normalizer leaves nothing of the added token {JsonEncodedText.Encode(empty.Content)}; set its \"normalized\" to false");
        return new TokenizerPipeline(vocabulary, preTokenizer, model, postProcessor, decoder)
        {
            NeedsPlaces = preTokenizer is not null && (normalizer is not null || preTokenizer is SequencePreTokenizer) && PreTokenizerReader.LooksAtTextStart(p),
            Truncation = root.TryGet("truncation", out JsonView t) ? TruncationOptions.Read(t) : null,
            Padding = root.TryGet("padding", out JsonView f) ? PaddingOptions.Read(f) : null,
        };
    }

    /// <summary>
    /// The added tokens with the ids that the library gives them: a content that the vocabulary has keeps that id, others follow the
    /// largest so far, whatever the file says. Then the tokens that only the configuration names.
    /// </summary>
    private static List<AddedToken> ReadAddedTokens(JsonView root, Vocabulary vocabulary, TokenizerConfig config)
    {
        List<AddedToken> tokens = [];
        Dictionary<string, int> index = new(StringComparer.Ordinal);
        int last = -1;
        if (root.TryGet("added_tokens", out JsonView list))
        {
            foreach (JsonView item in list.Items())
            {
                string content = item["content"].AsString();
                bool isSpecial = item.OptionalBool("special", false);
                Add(new AddedToken(
                    0,
                    content,
                    isSpecial,
                    item.OptionalBool("lstrip", false),
                    item.OptionalBool("rstrip", false),
                    item.OptionalBool("normalized", !isSpecial),
                    item.OptionalBool("single_word", false)));
            }
        }

        foreach (AddedToken token in config.AddedTokensDecoder.OrderBy(t => t.Id))
            Add(token);
        foreach (NamedToken token in config.Roles.OrderBy(r => (uint)Array.IndexOf(TokenizerConfig.RoleNames, r.Key)).Select(r => r.Value).Concat(config.Additional))
        {
            if (!index.ContainsKey(token.Content))
                Add(new AddedToken(0, token.Content, true, token.Lstrip, token.Rstrip, token.Normalized, token.SingleWord));
        }

        return tokens;

        void Add(AddedToken token)
        {
            if (token.Content.Length == 0)
                return;
            if (index.TryGetValue(token.Content, out int at))
            {
                // Once special, always special.
                tokens[at] = token with { Id = tokens[at].Id, Special = token.Special || tokens[at].Special };
                return;
            }

            int id = vocabulary.IdOf(token.Content) ?? Math.Max(vocabulary.Count, last + 1);
            last = Math.Max(last, id);
            index.Add(token.Content, tokens.Count);
            tokens.Add(token with { Id = id });
        }
    }
}
