// The stages of one tokenizer.json.
using LoraBuild.Core.Tokenizers.Decoders;
using LoraBuild.Core.Tokenizers.Models;
using LoraBuild.Core.Tokenizers.PostProcessors;
using LoraBuild.Core.Tokenizers.PreTokenizers;

namespace LoraBuild.Core.Tokenizers;

/// <summary>A stage that is null does nothing. The normalizer works inside <paramref name="Added"/>, between the two searches for added tokens.</summary>
internal sealed record TokenizerPipeline(AddedVocabulary Added, IPreTokenizer? PreTokenizer, IModel Model, IPostProcessor? PostProcessor, IDecoder? Decoder)
{
    /// <summary>Whether tokens depend on where a rewritten piece began in the text, which is only known exactly while places are kept.</summary>
    public bool NeedsPlaces { get; init; }

    public TruncationOptions? Truncation { get; init; }

    public PaddingOptions? Padding { get; init; }
}
