// Sorts the tensors of an adapter's file by what they are, from PEFT's key names.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>The parts are described at <see cref="PeftAdapterFiles"/>.</summary>
internal sealed class PeftAdapterContent
{
    public const string SuffixA = ".lora_A.weight";
    public const string SuffixB = ".lora_B.weight";
    public const string SuffixMagnitude = ".lora_magnitude_vector";
    private const string SuffixOldMagnitude = ".lora_magnitude_vector.weight"; // PEFT 0.9 to 0.11
    private const string SuffixEmbeddingA = ".lora_embedding_A";
    private const string SuffixEmbeddingB = ".lora_embedding_B";
    internal const string SuffixRows = ".token_adapter.trainable_tokens_delta";
    private const string BaseLayer = ".base_layer.";

    private readonly SafetensorsFile weights;
    private readonly PeftAdapterConfig config;

    private PeftAdapterContent(SafetensorsFile weights, PeftAdapterConfig config)
    {
        this.weights = weights;
        this.config = config;
    }

    public List<LoraPair> Pairs { get; } = [];

    public SortedDictionary<string, TensorEntry> Replacements { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, TensorEntry> BaseWeights { get; } = new(StringComparer.Ordinal);

    public List<TrainedRows> TokenRows { get; } = [];

    /// <exception cref="DiagnosticException">LB0422 a part that is not supported; LB0423 keys or shapes that do not fit together.</exception>
    public static PeftAdapterContent Of(SafetensorsFile weights, PeftAdapterConfig config)
    {
        PeftAdapterContent content = new(weights, config);
        content.Sort();
        return content;
    }

    private void Sort()
    {
        SortedSet<string> modules = new(StringComparer.Ordinal), embeddings = new(StringComparer.Ordinal);
        foreach ((string key, TensorEntry entry) in weights.Tensors)
        {
            if (!key.StartsWith(PeftAdapterFiles.KeyPrefix, StringComparison.Ordinal))
                throw Wrong($"the key '{key}' does not start with '{PeftAdapterFiles.KeyPrefix}'; is this an adapter of PEFT?");
            if (!entry.Dtype.IsFloat())
                throw Wrong($"'{key}' is {entry.Dtype.SafetensorsName()}; adapters hold floating-point tensors");
            string name = key[PeftAdapterFiles.KeyPrefix.Length..];
            if (WithoutSuffix(name, SuffixA, SuffixB, SuffixMagnitude, SuffixOldMagnitude) is string module)
                modules.Add(module);
            else if (WithoutSuffix(name, SuffixEmbeddingA, SuffixEmbeddingB) is string embedding)
                embeddings.Add(embedding);
            else if (WithoutSuffix(name, SuffixRows) is string rows)
                TokenRows.Add(Rows(rows, entry));
            else if (name.Contains("lora_", StringComparison.Ordinal) || name.Contains(".token_adapter.", StringComparison.Ordinal))
                throw Wrong($"'{key}' is a part of an adapter that is not supported (lora_bias or another method)");
            else
                AddWhole(name, entry);
        }

        foreach (string embedding in embeddings)
        {
            if (modules.Remove(embedding))
                throw new DiagnosticException("LB0422", $"the adapter has DoRA on '{embedding}', which is not supported: an embedding's norms run over the whole vocabulary. Train it with modules_to_save or without DoRA", weights.Path);
        }

        Pairs.AddRange(modules.Select(m => Pair(m, SuffixA, SuffixB, isEmbedding: false)));
        Pairs.AddRange(embeddings.Select(m => Pair(m, SuffixEmbeddingA, SuffixEmbeddingB, isEmbedding: true)));
        Pairs.Sort((a, b) => string.CompareOrdinal(a.ModulePath, b.ModulePath));
    }

    private void AddWhole(string name, TensorEntry entry)
    {
        string plain = name.Replace(BaseLayer, ".", StringComparison.Ordinal);
        // A bias under a wrapped name is a trained one. Embedding and head that no key asks for stand there because the vocabulary was resized.
        bool isFrozen = plain.EndsWith(".weight", StringComparison.Ordinal)
            && (name != plain || (WithoutSuffix(plain, ".weight") is string module && IsEmbeddingOrHead(module) && !config.EnsureWeightTying && !config.ModulesToSave.Any(m => module.EndsWith(m, StringComparison.Ordinal))));
        if (!(isFrozen ? BaseWeights : Replacements).TryAdd(plain, entry))
            throw Wrong($"the file holds '{plain}' twice, with and without '{BaseLayer.Trim('.')}'");
    }

    private static bool IsEmbeddingOrHead(string module) => module == "lm_head" || module.EndsWith("embed_tokens", StringComparison.Ordinal);

    private LoraPair Pair(string module, string suffixA, string suffixB, bool isEmbedding)
    {
        TensorEntry? Find(string suffix) => weights.Tensors.GetValueOrDefault(PeftAdapterFiles.KeyPrefix + module + suffix);
        if (Find(suffixA) is not TensorEntry a || Find(suffixB) is not TensorEntry b)
            throw Wrong($"the module '{module}' lacks {suffixA.Split('.')[1]} or {suffixB.Split('.')[1]}");
        TensorEntry? magnitude = Find(SuffixMagnitude) ?? Find(SuffixOldMagnitude);
        if (a.Shape.Length != 2 || b.Shape.Length != 2 || a.Shape[0] != b.Shape[1])
            throw Wrong($"lora_A {a.ShapeText} and lora_B {b.ShapeText} of '{module}' do not fit: [r, in] and [out, r] are needed");
        if (a.Shape[0] != config.RankOf(module))
            throw Wrong($"lora_A of '{module}' has rank {a.Shape[0]} but adapter_config.json says r = {config.RankOf(module)}");
        bool needsMagnitude = config.UseDora && !isEmbedding;
        if (needsMagnitude != magnitude is not null || (magnitude is not null && magnitude.ElementCount != b.Shape[0]))
            throw Wrong(needsMagnitude ? $"use_dora needs '{PeftAdapterFiles.KeyOfMagnitude(module)}' with {b.Shape[0]} values" : $"'{PeftAdapterFiles.KeyOfMagnitude(module)}' belongs to DoRA, but use_dora is false");
        return new LoraPair(module, a, b, magnitude, isEmbedding);
    }

    private TrainedRows Rows(string module, TensorEntry entry)
    {
        IReadOnlyList<int>? ids = config.TrainableTokenIndices.Where(t => module == t.Key || module.EndsWith('.' + t.Key, StringComparison.Ordinal)).Select(t => t.Value).FirstOrDefault();
        // A tied head may be stored under its own name with the embedding's ids.
        ids ??= config.TrainableTokenIndices.Count == 1 ? config.TrainableTokenIndices.First().Value : null;
        if (ids is null || entry.Shape.Length != 2 || entry.Shape[0] != ids.Count)
            throw Wrong($"the trained rows of '{module}' are {entry.ShapeText}, but trainable_token_indices names {ids?.Count ?? 0} tokens for it");
        return new TrainedRows(module, entry, ids);
    }

    private static string? WithoutSuffix(string name, params ReadOnlySpan<string> suffixes)
    {
        foreach (string suffix in suffixes)
        {
            if (name.EndsWith(suffix, StringComparison.Ordinal))
                return name[..^suffix.Length];
        }

        return null;
    }

    private DiagnosticException Wrong(string message) => new("LB0423", message, weights.Path);
}
