// The shapes of the models whose training steps are timed, and the arithmetic of a step on them.
using System.Text.Json.Nodes;

namespace LoraBuild.Benchmarks;

/// <summary>Multiply-adds count as two operations.</summary>
/// <param name="ModelType">Of config.json: llama, or qwen2, whose q, k, v have a bias.</param>
internal sealed record ModelShape(string Name, string ModelType, int Layers, int Hidden, int Heads, int KeyValueHeads, int Intermediate, int Vocabulary)
{
    public const int Rank = 16;

    public static readonly ModelShape SmolLM2 = new("smollm2-135m", "llama", 30, 576, 9, 3, 1536, 49152);

    public static readonly ModelShape Qwen25 = new("qwen2.5-0.5b", "qwen2", 24, 896, 14, 2, 4864, 151936);

    public static readonly IReadOnlyList<ModelShape> All = [SmolLM2, Qwen25];

    public static readonly string[] Adapted = ["q_proj", "k_proj", "v_proj", "o_proj"];

    public int HeadDim => Hidden / Heads;

    public int KeyValueWidth => KeyValueHeads * HeadDim;

    /// <summary>(out, in) of the linear modules of a layer.</summary>
    public (string Name, int Out, int In)[] Linears =>
    [
        ("q_proj", Hidden, Hidden), ("k_proj", KeyValueWidth, Hidden), ("v_proj", KeyValueWidth, Hidden), ("o_proj", Hidden, Hidden),
        ("gate_proj", Intermediate, Hidden), ("up_proj", Intermediate, Hidden), ("down_proj", Hidden, Intermediate),
    ];

    /// <exception cref="ArgumentException">There is no such shape.</exception>
    public static ModelShape Named(string name) =>
        All.FirstOrDefault(s => s.Name == name) ?? throw new ArgumentException($"--shape {name}; there are {string.Join(", ", All.Select(s => s.Name))}");

    /// <summary>
    /// What a step must compute: linear layers forward and their input gradients (those of the first layer's q, k, v lead nowhere and do not count),
    /// adapters forward, input and weight gradients, attention's six products over the pairs that a query sees, and the head where a target is.
    /// </summary>
    /// <param name="lengths">Tokens of each document of the step; every token but the first is a target.</param>
    public double UsefulOperations(IReadOnlyList<int> lengths)
    {
        double tokens = lengths.Sum(l => (double)l);
        double targets = tokens - lengths.Count;
        double linear = 0;
        double adapter = 0;
        for (int layer = 0; layer < Layers; layer++)
        {
            foreach ((string name, int rows, int columns) in Linears)
            {
                bool hasInputGradient = layer > 0 || name is not ("q_proj" or "k_proj" or "v_proj");
                linear += 2.0 * rows * columns * (hasInputGradient ? 2 : 1);
                if (Adapted.Contains(name))
                    adapter += 2.0 * Rank * (rows + columns) * 3;
            }
        }

        double pairs = lengths.Sum(l => l * (l + 1.0) / 2);
        double attention = Layers * 6 * 2.0 * HeadDim * Heads * pairs;
        double head = targets * 2.0 * Vocabulary * Hidden * 2;
        return (tokens * (linear + adapter)) + attention + head;
    }

    public void WriteConfig(string directory) => File.WriteAllText(
        Path.Combine(directory, "config.json"),
        new JsonObject
        {
            ["architectures"] = new JsonArray(ModelType == "qwen2" ? "Qwen2ForCausalLM" : "LlamaForCausalLM"),
            ["model_type"] = ModelType,
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = Intermediate,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KeyValueHeads,
            ["head_dim"] = HeadDim,
            ["vocab_size"] = Vocabulary,
            ["max_position_embeddings"] = 8192,
            ["rms_norm_eps"] = 1e-5,
            ["rope_theta"] = 100000,
            ["hidden_act"] = "silu",
            ["tie_word_embeddings"] = true,
            ["bos_token_id"] = 1,
            ["eos_token_id"] = 2,
            ["torch_dtype"] = "float32",
        }.ToJsonString());
}
