// Byte-pair encoding: byte-level, and over characters with byte fallback and unknown tokens.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Models;

internal sealed record BpeOptions
{
    public string? UnknownToken { get; init; }

    public string ContinuingSubwordPrefix { get; init; } = "";

    public string EndOfWordSuffix { get; init; } = "";

    public bool FusesUnknown { get; init; }

    public bool HasByteFallback { get; init; }

    /// <summary>A word that is in the vocabulary is taken whole, whatever the merges would give.</summary>
    public bool IgnoresMerges { get; init; }
}

/// <summary>Sennrich et al. 2016, with the behaviour of Hugging Face's <c>BPE</c> model.</summary>
internal sealed class BpeModel : IModel
{
    private readonly MergeTable merges;
    private readonly BpeOptions options;
    private readonly int[] idOfByte = new int[256];
    private readonly int[] fallbackIds = new int[256];
    private readonly int[] idOfCharacter = new int[0x3000];
    private readonly int unknownId = -1;
    private readonly Lazy<NeighbourFilter>? neighbours;

    public BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options)
    {
        Vocabulary = vocabulary;
        this.merges = merges;
        this.options = options;
        if (options.UnknownToken is { } token)
            unknownId = vocabulary.IdOf(token) ?? -1;
        CanReadBytes = options is { ContinuingSubwordPrefix: "", EndOfWordSuffix: "" };
        for (int b = 0; b < 256; b++)
        {
            idOfByte[b] = vocabulary.IdOf(ByteAlphabet.ToChar((byte)b).ToString()) ?? -1;
            CanReadBytes &= idOfByte[b] >= 0;
            fallbackIds[b] = vocabulary.IdOf(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"<0x{b:X2}>")) ?? -1;
        }

        // With ignore_merges a part would be looked up as if it were a word. Where a character can be dropped, the places of the whole word behind it shift.
        bool dropsNothing = unknownId >= 0 || (options.HasByteFallback && Array.TrueForAll(fallbackIds, id => id >= 0));
        if (dropsNothing && options is { ContinuingSubwordPrefix: "", EndOfWordSuffix: "", IgnoresMerges: false } && !merges.UsesAny(fallbackIds.ToHashSet()))
            neighbours = new(() => new NeighbourFilter(vocabulary.Tokens));
        for (int c = 0; c < idOfCharacter.Length; c++)
            idOfCharacter[c] = vocabulary.IdOf(((char)c).ToString()) ?? -1;
    }

    private BpeModel(BpeModel other)
    {
        (Vocabulary, merges, options, unknownId, CanReadBytes) = (other.Vocabulary, other.merges, other.options, other.unknownId, other.CanReadBytes);
        (idOfByte, fallbackIds, idOfCharacter, neighbours) = (other.idOfByte, other.fallbackIds, other.idOfCharacter, other.neighbours);
    }

    public Vocabulary Vocabulary { get; }

    public bool ShowsUnknownText => false;

    public int? UnknownId => unknownId < 0 ? null : unknownId;

    /// <summary>All 256 bytes have a token, so that text can be read as bytes without writing their stand-ins first.</summary>
    public bool CanReadBytes { get; }

    /// <summary>Reads text as UTF-8 bytes instead of as characters of the byte alphabet.</summary>
    public bool ReadsBytes { get; private init; }

    /// <summary>The same model for a pipeline whose pre-tokenizer ends in ByteLevel and leaves the bytes to the model.</summary>
    public BpeModel AsByteReader() => new(this) { ReadsBytes = CanReadBytes };

    public void Tokenize(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        if (ReadsBytes || neighbours is null || word.Length < 8)
        {
            TokenizeWord(word, scratch, output);
            return;
        }

        NeighbourFilter filter = neighbours.Value;
        int start = 0;
        for (int i = 1; i < word.Length; i++)
        {
            if (!CanCut(filter, word, i))
                continue;
            TokenizePart(word, start, i, scratch, output);
            start = i;
        }

        TokenizePart(word, start, word.Length, scratch, output);
    }

    /// <summary>
    /// Whether a word gives the same tokens when it is cut here. No token holds these two characters side by side, so no merge can join
    /// them; and both are known, so that no unknown token or byte run reaches over the cut.
    /// </summary>
    private bool CanCut(NeighbourFilter filter, ReadOnlySpan<char> word, int at)
    {
        char left = word[at - 1];
        char right = word[at];
        return !filter.MayStandTogether(left, right) && IsKnown(left) && IsKnown(right);
    }

    private bool IsKnown(char c) => c < idOfCharacter.Length
        ? idOfCharacter[c] >= 0
        : !char.IsSurrogate(c) && Vocabulary.TryGetId(new ReadOnlySpan<char>(in c), out _);

    private void TokenizePart(ReadOnlySpan<char> word, int start, int end, ModelScratch scratch, TokenBuffer output)
    {
        int first = output.Count;
        TokenizeWord(word[start..end], scratch, output);
        output.Shift(first, start);
    }

    private void TokenizeWord(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        if (word.Length > WordCache.LongestWord)
        {
            TokenizeUncached(word, scratch, output);
            return;
        }

        uint hash = WordCache.Hash(word);
        if (scratch.Cache.TryAppend(word, hash, output))
            return;
        TokenBuffer places = scratch.Places;
        places.Clear();
        TokenizeUncached(word, scratch, places);
        scratch.Cache.Add(word, hash, places);
        output.AddRange(places);
    }

    private void TokenizeUncached(ReadOnlySpan<char> word, ModelScratch scratch, TokenBuffer output)
    {
        if (options.IgnoresMerges && Vocabulary.TryGetId(ReadsBytes ? ByteAlphabet.Encode(word) : word, out int whole))
        {
            output.Add(whole, 0, word.Length);
            return;
        }

        BpeWord symbols = scratch.Word;
        symbols.Clear();
        if (ReadsBytes)
            AddBytes(word, scratch, symbols);
        else
            AddCharacters(word, symbols);
        symbols.Merge(merges);
        if (output.HasPlaces)
            AppendWithPlaces(word, symbols, output);
        else
            output.AddRange(symbols.Ids);
    }

    private void AddBytes(ReadOnlySpan<char> word, ModelScratch scratch, BpeWord symbols)
    {
        int most = System.Text.Encoding.UTF8.GetMaxByteCount(word.Length);
        if (scratch.Bytes.Length < most)
            scratch.Bytes = new byte[most];
        int count = System.Text.Encoding.UTF8.GetBytes(word, scratch.Bytes);
        for (int i = 0; i < count; i++)
            symbols.Add(idOfByte[scratch.Bytes[i]], 1);
    }

    /// <summary>One symbol a character. A character without a token becomes its bytes where all of them have one, else the unknown token, which is held back so that neighbours can join it.</summary>
    private void AddCharacters(ReadOnlySpan<char> word, BpeWord symbols)
    {
        int pendingUnknown = 0; // its length in bytes
        for (int i = 0; i < word.Length;)
        {
            int c = UnicodeClasses.CodePointAt(word, i, out int units);
            int bytes = UnicodeClasses.Utf8Length(c);
            int id = Find(word, c, i, units);
            i += units;
            if (id >= 0)
            {
                if (pendingUnknown > 0)
                    symbols.Add(unknownId, pendingUnknown);
                pendingUnknown = 0;
                symbols.Add(id, bytes);
                continue;
            }

            // The library writes these before an unknown token that is still held back.
            if (options.HasByteFallback && TryAddFallback(word, i, units, symbols))
                continue;
            if (unknownId < 0)
                continue;
            if (pendingUnknown > 0 && !options.FusesUnknown)
            {
                symbols.Add(unknownId, pendingUnknown);
                pendingUnknown = 0;
            }

            pendingUnknown += bytes;
        }

        if (pendingUnknown > 0)
            symbols.Add(unknownId, pendingUnknown);
    }

    private int Find(ReadOnlySpan<char> word, int codePoint, int at, int units)
    {
        string prefix = at > 0 ? options.ContinuingSubwordPrefix : "";
        string suffix = at + units == word.Length ? options.EndOfWordSuffix : "";
        if (prefix.Length + suffix.Length > 0)
            return Vocabulary.TryGetId(string.Concat(prefix, word.Slice(at, units), suffix), out int decorated) ? decorated : -1;
        if (codePoint < idOfCharacter.Length)
            return idOfCharacter[codePoint];
        return Vocabulary.TryGetId(word.Slice(at, units), out int id) ? id : -1;
    }

    private bool TryAddFallback(ReadOnlySpan<char> word, int end, int units, BpeWord symbols)
    {
        string prefix = end > units ? options.ContinuingSubwordPrefix : "";
        string suffix = end == word.Length ? options.EndOfWordSuffix : "";
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(string.Concat(prefix, word.Slice(end - units, units), suffix));
        foreach (byte b in bytes)
        {
            if (fallbackIds[b] < 0)
                return false;
        }

        foreach (byte b in bytes)
            symbols.Add(fallbackIds[b], 1);
        return true;
    }

    /// <summary>Symbols count bytes; a token that covers part of a character has the place of the whole one.</summary>
    private static void AppendWithPlaces(ReadOnlySpan<char> word, BpeWord symbols, TokenBuffer output)
    {
        int unit = 0;      // where the character with the byte `firstByte` begins
        int firstByte = 0;
        int at = 0;        // bytes before the symbol
        for (int i = 0; i < symbols.Count; i++)
        {
            int end = at + symbols.Lengths[i];
            int units = Advance(word, ref unit, ref firstByte, at);
            int start = unit;
            units = end > at ? Advance(word, ref unit, ref firstByte, end - 1) : units;
            output.Add(symbols.Ids[i], start, Math.Min(word.Length, unit + units));
            at = end;
        }
    }

    /// <summary>Moves to the character that holds a byte; returns its UTF-16 units.</summary>
    private static int Advance(ReadOnlySpan<char> word, ref int unit, ref int firstByte, int targetByte)
    {
        while (unit < word.Length)
        {
            int length = UnicodeClasses.Utf8Length(UnicodeClasses.CodePointAt(word, unit, out int units));
            if (firstByte + length > targetByte)
                return units;
            firstByte += length;
            unit += units;
        }

        return 0;
    }
}
