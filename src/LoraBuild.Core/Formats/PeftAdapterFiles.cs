// A PEFT adapter directory: adapter_config.json and adapter_model.safetensors, with the key names that PEFT uses.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>The low-rank pair of one module.</summary>
/// <param name="ModulePath">Path in the base model, e.g. <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="A">[r, in]</param>
/// <param name="B">[out, r]</param>
/// <param name="Magnitude">DoRA: [out]; null otherwise.</param>
public sealed record LoraPair(string ModulePath, TensorEntry A, TensorEntry B, TensorEntry? Magnitude)
{
    public int R => (int)A.Shape[0];
}

/// <summary>An open adapter. Dispose closes the weights.</summary>
public sealed class PeftAdapterFiles : IDisposable
{
    public const string WeightsFileName = "adapter_model.safetensors";

    /// <summary>What PEFT puts before the base model's module paths.</summary>
    public const string KeyPrefix = "base_model.model.";
    private const string SuffixA = ".lora_A.weight";
    private const string SuffixB = ".lora_B.weight";
    private const string SuffixMagnitude = ".lora_magnitude_vector";

    private PeftAdapterFiles(string directory, PeftAdapterConfig config, SafetensorsFile weights, IReadOnlyList<LoraPair> pairs, IReadOnlyDictionary<string, TensorEntry> replacements)
    {
        Directory = directory;
        Config = config;
        Weights = weights;
        Pairs = pairs;
        Replacements = replacements;
    }

    public string Directory { get; }

    public PeftAdapterConfig Config { get; }

    public SafetensorsFile Weights { get; }

    /// <summary>In ordinal order of their module paths.</summary>
    public IReadOnlyList<LoraPair> Pairs { get; }

    /// <summary>Whole tensors that replace the base's (modules_to_save, trained biases), by base tensor name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Replacements { get; }

    public static string KeyOfA(string modulePath) => KeyPrefix + modulePath + SuffixA;

    public static string KeyOfB(string modulePath) => KeyPrefix + modulePath + SuffixB;

    public static string KeyOfMagnitude(string modulePath) => KeyPrefix + modulePath + SuffixMagnitude;

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
            (List<LoraPair> pairs, SortedDictionary<string, TensorEntry> replacements) = Sort(weights, config);
            return new PeftAdapterFiles(directory, config, weights, pairs, replacements);
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

    private static (List<LoraPair> Pairs, SortedDictionary<string, TensorEntry> Replacements) Sort(SafetensorsFile weights, PeftAdapterConfig config)
    {
        SortedDictionary<string, TensorEntry> replacements = new(StringComparer.Ordinal);
        SortedSet<string> modules = new(StringComparer.Ordinal);
        foreach ((string key, TensorEntry entry) in weights.Tensors)
        {
            if (!key.StartsWith(KeyPrefix, StringComparison.Ordinal))
                throw Wrong(weights, $"the key '{key}' does not start with '{KeyPrefix}'; is this an adapter of PEFT?");
            if (!entry.Dtype.IsFloat())
                throw Wrong(weights, $"'{key}' is {entry.Dtype.SafetensorsName()}; adapters hold floating-point tensors");
            string name = key[KeyPrefix.Length..];
            if (WithoutSuffix(name) is string module)
                modules.Add(module);
            else if (name.Contains("lora_", StringComparison.Ordinal))
                throw Wrong(weights, $"'{key}' is a part of an adapter that is not supported (embedding factors, lora_bias or another method)");
            else
                replacements.Add(name, entry);
        }

        return ([.. modules.Select(m => Pair(weights, config, m))], replacements);
    }

    private static LoraPair Pair(SafetensorsFile weights, PeftAdapterConfig config, string module)
    {
        TensorEntry? Find(string key) => weights.Tensors.GetValueOrDefault(key);
        if (Find(KeyOfA(module)) is not TensorEntry a || Find(KeyOfB(module)) is not TensorEntry b)
            throw Wrong(weights, $"the module '{module}' lacks lora_A or lora_B");
        TensorEntry? magnitude = Find(KeyOfMagnitude(module));
        if (a.Shape.Length != 2 || b.Shape.Length != 2 || a.Shape[0] != b.Shape[1])
            throw Wrong(weights, $"lora_A {a.ShapeText} and lora_B {b.ShapeText} of '{module}' do not fit: [r, in] and [out, r] are needed");
        if (a.Shape[0] != config.RankOf(module))
            throw Wrong(weights, $"lora_A of '{module}' has rank {a.Shape[0]} but adapter_config.json says r = {config.RankOf(module)}");
        if (config.UseDora != magnitude is not null || (magnitude is not null && magnitude.ElementCount != b.Shape[0]))
            throw Wrong(weights, config.UseDora ? $"use_dora needs '{KeyOfMagnitude(module)}' with {b.Shape[0]} values" : $"'{KeyOfMagnitude(module)}' belongs to DoRA, but use_dora is false");
        return new LoraPair(module, a, b, magnitude);
    }

    private static string? WithoutSuffix(string name)
    {
        foreach (string suffix in (ReadOnlySpan<string>)[SuffixA, SuffixB, SuffixMagnitude])
        {
            if (name.EndsWith(suffix, StringComparison.Ordinal))
                return name[..^suffix.Length];
        }

        return null;
    }

    private static DiagnosticException Wrong(SafetensorsFile weights, string message) => new("LB0423", message, weights.Path);
}
