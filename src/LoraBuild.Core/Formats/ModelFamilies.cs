// The families that are known, and other names of theirs: checkpoints with a known family's layout and mathematics under a model_type of their own.
namespace LoraBuild.Core.Formats;

/// <summary>What differs from the family is in <see cref="ModelTypeDefaults"/> and in the parser, under the name of the file.</summary>
public static class ModelFamilies
{
    private static readonly string[] Own = ["gemma", "gemma2", "gemma3_text", "granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"];

    /// <summary>model_type in the file → the family that it is. All have Llama's modules under Llama's names.</summary>
    private static readonly Dictionary<string, string> Families = new(StringComparer.Ordinal)
    {
        ["aquila"] = "llama", // Aquila2: no difference
        ["internlm"] = "llama", // `bias`: on q, k, v and o
        ["seed_oss"] = "llama", // biases on q, k, v, and `attention_out_bias` on o
        ["xverse"] = "llama", // no difference
        ["ministral"] = "mistral", // `layer_types` says which layers slide
    };

    /// <summary>Every <c>model_type</c> that can be read, in ordinal order.</summary>
    public static IReadOnlyList<string> KnownModelTypes { get; } = [.. Own.Concat(Families.Keys).Append("gemma3").Order(StringComparer.Ordinal)];

    /// <summary>The family of a model_type: itself, or the one that it is another name of; null: none that is known.</summary>
    public static string? Of(string modelType) => Own.Contains(modelType) ? modelType : Families.GetValueOrDefault(modelType);

    /// <summary>What is told about a model_type that has none.</summary>
    public static string UnknownText(string modelType) =>
        $"model_type is '{modelType}', a family that is not known; known are {string.Join(", ", KnownModelTypes)}. If the model is one of these under another name, write that name into model_type";
}
