// adapter_config.json of a PEFT LoRA adapter: read, checked, written back with every key that PEFT had put there.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats;

/// <summary>PEFT 0.20's LoraConfig, the part that changes the mathematics; <see cref="Extra"/> keeps the rest.</summary>
public sealed record PeftAdapterConfig
{
    public const string FileName = "adapter_config.json";

    public string? BaseModelNameOrPath { get; init; }
    public int R { get; init; } = 8;
    public double LoraAlpha { get; init; } = 8;
    public double LoraDropout { get; init; }

    /// <summary>Module names or suffixes, sorted; empty when <see cref="TargetModulesPattern"/> is set.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>A regular expression over whole module paths, or <c>all-linear</c>.</summary>
    public string? TargetModulesPattern { get; init; }
    public IReadOnlyList<string> ExcludeModules { get; init; } = [];
    public string? ExcludeModulesPattern { get; init; }
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];
    public IReadOnlyList<int>? LayersToTransform { get; init; }

    /// <summary>Module pattern (regular expression on the end of the path) to its own r; the first that matches counts.</summary>
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new OrderedDictionary<string, int>();

    /// <summary>Module pattern to its own lora_alpha.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new OrderedDictionary<string, double>();
    public bool UseRslora { get; init; }
    public bool UseDora { get; init; }
    public bool EnsureWeightTying { get; init; }

    /// <summary>Module name or its end to the ids of the rows that are trained alone; a list without a name is the input embedding's.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<int>> TrainableTokenIndices { get; init; } = new Dictionary<string, IReadOnlyList<int>>();

    /// <summary>none | all | lora_only.</summary>
    public string Bias { get; init; } = "none";
    public string TaskType { get; init; } = "CAUSAL_LM";
    public bool InferenceMode { get; init; } = true;

    /// <summary>Keys of the file that are not named above, and those that are only read (<see cref="TrainableTokenIndices"/>); written back unchanged.</summary>
    public JsonObject Extra { get; init; } = [];

    /// <summary>s of W + s·BA for a module: alpha / r, or alpha / √r with rsLoRA; patterns respected.</summary>
    public double ScalingOf(string modulePath)
    {
        double r = RankOf(modulePath);
        return AlphaOf(modulePath) / (UseRslora ? Math.Sqrt(r) : r);
    }

    public int RankOf(string modulePath) => PeftPatterns.Find(RankPattern, modulePath, R);

    public double AlphaOf(string modulePath) => PeftPatterns.Find(AlphaPattern, modulePath, LoraAlpha);

    /// <exception cref="DiagnosticException">LB0420 missing or not JSON; LB0421 a wrong value; LB0422 a feature that is not supported, with the reason.</exception>
    public static PeftAdapterConfig Read(string adapterDirectory)
    {
        string path = Path.Combine(adapterDirectory, FileName);
        JsonObject root = JsonFile.ReadObject(path, "LB0420", "a PEFT adapter directory needs it", JsonFile.ConfigBytes);
        return PeftConfigJson.Parse(root, Path.GetFullPath(path));
    }

    public void Write(string adapterDirectory) =>
        AtomicFile.WriteAllText(Path.Combine(adapterDirectory, FileName), PeftConfigJson.Text(this));
}
