// A PEFT adapter directory: adapter_config.json and adapter_model.safetensors, with the key names that PEFT uses.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>The low-rank pair of one module.</summary>
/// <param name="ModulePath">Path in the base model, e.g. <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="A">[r, in]; of an embedding [r, vocabulary].</param>
/// <param name="B">[out, r]; of an embedding [hidden, r].</param>
/// <param name="Magnitude">DoRA: [out]; null otherwise.</param>
/// <param name="IsEmbedding">W + s·(BA)ᵀ in place of W + s·BA.</param>
public sealed record LoraPair(string ModulePath, TensorEntry A, TensorEntry B, TensorEntry? Magnitude, bool IsEmbedding = false)
{
    public int R => (int)A.Shape[0];

    /// <summary>Of the base weight that fits.</summary>
    public long[] WeightShape => IsEmbedding ? [A.Shape[1], B.Shape[0]] : [B.Shape[0], A.Shape[1]];
}

/// <summary>Single rows of an embedding or head that were trained in place of the base's.</summary>
/// <param name="Rows">[ids, hidden]: the new values, not differences.</param>
public sealed record TrainedRows(string ModulePath, TensorEntry Rows, IReadOnlyList<int> Ids);

/// <summary>An open adapter. Dispose closes the weights.</summary>
public sealed class PeftAdapterFiles : IDisposable
{
    public const string WeightsFileName = "adapter_model.safetensors";

    /// <summary>What PEFT puts before the base model's module paths.</summary>
    public const string KeyPrefix = "base_model.model.";

    private readonly PeftAdapterContent content;

    private PeftAdapterFiles(string directory, PeftAdapterConfig config, SafetensorsFile weights, PeftAdapterContent content)
    {
        Directory = directory;
        Config = config;
        Weights = weights;
        this.content = content;
    }

    public string Directory { get; }

    public PeftAdapterConfig Config { get; }

    public SafetensorsFile Weights { get; }

    /// <summary>In ordinal order of their module paths.</summary>
    public IReadOnlyList<LoraPair> Pairs => content.Pairs;

    /// <summary>Whole tensors that replace the base's (modules_to_save, trained biases), by base tensor name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Replacements => content.Replacements;

    /// <summary>
    /// Frozen weights of embedding and head, by base tensor name: PEFT stores them beside an adapter on these modules, and where the vocabulary was resized.
    /// They stand for the base's own; of a tied model for both.
    /// </summary>
    public IReadOnlyDictionary<string, TensorEntry> BaseWeights => content.BaseWeights;

    /// <summary>By module path, in ordinal order.</summary>
    public IReadOnlyList<TrainedRows> TokenRows => content.TokenRows;

    public static string KeyOfA(string modulePath) => KeyPrefix + modulePath + PeftAdapterContent.SuffixA;

    public static string KeyOfB(string modulePath) => KeyPrefix + modulePath + PeftAdapterContent.SuffixB;

    /// <summary>The key of single trained rows (trainable_token_indices).</summary>
    public static string KeyOfRows(string modulePath) => KeyPrefix + modulePath + PeftAdapterContent.SuffixRows;

    public static string KeyOfMagnitude(string modulePath) => KeyPrefix + modulePath + PeftAdapterContent.SuffixMagnitude;

    /// <exception cref="DiagnosticException">LB0420–LB0422 the config; LB0423 the weights are missing or do not fit together; LB0400–LB0403 a damaged file.</exception>
    public static PeftAdapterFiles Read(string adapterDirectory)
    {
        string directory = Path.GetFullPath(adapterDirectory);
        PeftAdapterConfig config = PeftAdapterConfig.Read(directory);
        string path = Path.Combine(directory, WeightsFileName);
        if (!File.Exists(path))
            throw new DiagnosticException("LB0423", $"the adapter directory has no {WeightsFileName} (adapter_model.bin is not read: pickle files run code when they are loaded)", directory);
        SafetensorsFile weights = SafetensorsFile.Open(path);
        try
        {
            return new PeftAdapterFiles(directory, config, weights, PeftAdapterContent.Of(weights, config));
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Writes both files as PEFT does (<c>format: pt</c>). Tensor names are complete keys, see <see cref="KeyOfA"/>.</summary>
    public static void Write(string adapterDirectory, PeftAdapterConfig config, IReadOnlyList<TensorToWrite> tensors)
    {
        SafetensorsWriter.Write(Path.Combine(adapterDirectory, WeightsFileName), tensors, new Dictionary<string, string> { ["format"] = "pt" });
        config.Write(adapterDirectory);
    }

    public void Dispose() => Weights.Dispose();
}
