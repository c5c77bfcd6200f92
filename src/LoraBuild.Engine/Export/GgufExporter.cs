// Hugging Face directory → GGUF file that llama.cpp loads: metadata, tokenizer, tensors, streamed one by one.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Engine.Export;

public sealed record GgufExportOptions
{
    /// <summary><c>general.name</c>; null: the model directory's name.</summary>
    public string? Name { get; init; }

    /// <summary>Threads that encode; null: all cores.</summary>
    public int? Threads { get; init; }
}

/// <param name="FellBack">Tensors whose rows are no whole number of blocks of the type that they should have; they have one with smaller blocks, or F16.</param>
/// <param name="IgnoredWindow">Tokens of a sliding window that llama.cpp does not apply to this family: beyond it the file answers as a model that sees everything. Null: none.</param>
public sealed record GgufExportReport(string Path, GgufMix Mix, int Tensors, long FileBytes, IReadOnlyList<string> FellBack, int? IgnoredWindow = null)
{
    /// <summary>Size, and what the file has of its own, in one line.</summary>
    public string Text
    {
        get
        {
            string fallback = FellBack.Count == 0 ? "" : $", {FellBack.Count} in a type with smaller blocks because their rows are no whole number of blocks";
            string window = IgnoredWindow is int tokens ? $"; llama.cpp does not know this family's sliding window, so that after {tokens} tokens it sees more than the model did" : "";
            return string.Create(CultureInfo.InvariantCulture, $"{System.IO.Path.GetFileName(Path)}: {Tensors} tensors, {FileBytes / 1e6:N1} MB{fallback}{window}");
        }
    }
}

public static class GgufExporter
{
    /// <summary>A row length into which every block fits.</summary>
    private const int WholeBlocks = 256;

    /// <summary>Writes <paramref name="outputFile"/>. Matrices get the types of <paramref name="mix"/>, vectors stay F32; a tied head is not written.</summary>
    /// <exception cref="DiagnosticException">LB0704 family; LB0705 tensors that do not fit it; LB0706 tokenizer; LB04xx damaged input.</exception>
    public static GgufExportReport Export(string modelDirectory, GgufMix mix, string outputFile, GgufExportOptions? options = null)
    {
        string directory = Path.GetFullPath(modelDirectory);
        ModelConfig config = ModelConfig.Load(directory);
        GgufArchitecture architecture = GgufArchitecture.Of(config);
        string name = options?.Name ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(directory));
        List<GgufKey> keys = GgufMetadata.Of(config, architecture, mix.FileType);
        keys.AddRange(GgufTokenizer.Read(directory, config));
        keys.Insert(0, GgufKey.Of("general.name", SafeName(name, architecture.Name == "phi3" && GgufTokenizer.IsPhi3Vocabulary(directory))));
        using ModelFiles model = ModelFiles.Open(directory);
        List<string> fellBack = [];
        List<GgufTensorToWrite> tensors = Tensors(model, config, architecture, mix, options?.Threads, fellBack);
        GgufWriter.Write(outputFile, keys, tensors);
        return new GgufExportReport(Path.GetFullPath(outputFile), mix, tensors.Count, new FileInfo(outputFile).Length, fellBack, architecture.HasSlidingWindow ? null : config.SlidingWindow);
    }

    /// <summary>Says from config.json alone whether the model can be exported: before training, not after it.</summary>
    /// <exception cref="DiagnosticException">LB0704: it cannot; LB041x: the config is missing or wrong.</exception>
    public static void CheckConfig(string modelDirectory)
    {
        ModelConfig config = ModelConfig.Load(modelDirectory);
        GgufMetadata.Of(config, GgufArchitecture.Of(config), fileType: 0);
    }

    /// <summary>What may stand in <c>general.name</c>. llama.cpp recognises Phi-3's vocabulary by this name alone: it must carry it, and with any other vocabulary such a file does not load.</summary>
    public static string SafeName(string name, bool hasPhi3Vocabulary)
    {
        string clean = new([.. name.Where(c => char.IsLetterOrDigit(c) || " -_.+()".Contains(c, StringComparison.Ordinal)).Take(64)]);
        if (!hasPhi3Vocabulary)
            clean = clean.Replace("phi-3", "phi 3", StringComparison.OrdinalIgnoreCase).Replace("phi3", "phi 3", StringComparison.OrdinalIgnoreCase);
        clean = clean.Trim().Length == 0 ? "model" : clean.Trim();
        bool isRecognised = clean.Contains("phi-3", StringComparison.OrdinalIgnoreCase) || clean.Contains("phi3", StringComparison.OrdinalIgnoreCase);
        return hasPhi3Vocabulary && !isRecognised ? clean + " Phi-3" : clean;
    }

    private static List<GgufTensorToWrite> Tensors(ModelFiles model, ModelConfig config, GgufArchitecture architecture, GgufMix mix, int? threads, List<string> fellBack)
    {
        Dictionary<string, string> storedNames = [];
        foreach (string stored in model.Tensors.Keys)
        {
            if (TextTensorName.Of(stored, config) is string text && !storedNames.TryAdd(text, stored))
                throw new DiagnosticException("LB0705", $"{storedNames[text]} and {stored} are the same tensor of the text model; the checkpoint mixes two layouts", model.Directory);
        }

        CheckVocabulary(model, config, storedNames);
        GgufModelShape shape = new(architecture.Name, config.NumHiddenLayers, config.NumAttentionHeads, config.NumKeyValueHeads, HasOutput: !config.TieWordEmbeddings);
        List<(string Order, GgufTensorToWrite Tensor)> tensors = [];
        List<string> unknown = [];
        foreach ((string name, string stored) in storedNames)
        {
            TensorEntry entry = model.Tensors[stored];
            if (name.EndsWith("rotary_emb.inv_freq", StringComparison.Ordinal) || (name == "lm_head.weight" && config.TieWordEmbeddings))
                continue; // old files hold the rope table; a tied head is the embedding
            if (architecture.TensorName(name) is not string ggufName || !entry.Dtype.IsFloat() || entry.Shape.Length is not (1 or 2))
            {
                unknown.Add($"{stored} {entry.Dtype.SafetensorsName()} {entry.ShapeText}");
                continue;
            }

            GgmlType type = entry.Shape.Length == 1 ? GgmlType.F32 : mix.TypeOf(ggufName, entry.Shape[^1], shape);
            if (entry.Shape.Length == 2 && type != mix.TypeOf(ggufName, WholeBlocks, shape))
                fellBack.Add(ggufName);
            RowEncoder encoder = new(model.FileOf(stored), entry, type, architecture.PermutedHeads(name, config), architecture.Offset(name)) { Threads = threads };
            tensors.Add((Order(ggufName), new GgufTensorToWrite(ggufName, type, [.. entry.Shape.Reverse()], encoder.Write)));
        }

        if (unknown.Count > 0)
            throw new DiagnosticException("LB0705", $"{unknown.Count} tensors have no place in a {architecture.Name} GGUF file: {NameList.Text(unknown)}", model.Directory);
        if (!config.TieWordEmbeddings && !storedNames.ContainsKey("lm_head.weight"))
            throw new DiagnosticException("LB0705", "the model has no lm_head.weight although config.json says that it is not tied to the embedding (tie_word_embeddings: false); llama.cpp would load it and answer nonsense", model.Directory);
        foreach ((string name, float[] factors) in RopeFrequencies.Tensors(config))
            tensors.Add((Order(name), new GgufTensorToWrite(name, GgmlType.F32, [factors.Length], TensorToWrite.FromFloat32(name, [factors.Length], factors).WriteBytes)));

        return [.. tensors.OrderBy(t => t.Order, StringComparer.Ordinal).Select(t => t.Tensor)];
    }

    private static void CheckVocabulary(ModelFiles model, ModelConfig config, Dictionary<string, string> storedNames)
    {
        string stored = storedNames.GetValueOrDefault("model.embed_tokens.weight", "model.embed_tokens.weight");
        TensorEntry embedding = model.FileOf(stored).Tensors[stored];
        if (embedding.Shape.Length != 2 || embedding.Shape[0] != config.VocabSize || embedding.Shape[1] != config.HiddenSize)
            throw new DiagnosticException("LB0705", $"{stored} is {embedding.ShapeText} but config.json says [{config.VocabSize}, {config.HiddenSize}] (vocab_size, hidden_size)", model.Directory);
    }

    /// <summary>The embedding, the layers by number, what comes after them: the order in which llama.cpp needs them.</summary>
    private static string Order(string name)
    {
        if (name.StartsWith("token_embd", StringComparison.Ordinal))
            return "0";
        if (!name.StartsWith("blk.", StringComparison.Ordinal))
            return "2" + name;
        string[] parts = name.Split('.', 3);
        return $"1{int.Parse(parts[1], CultureInfo.InvariantCulture):d9}.{parts[2]}";
    }
}
