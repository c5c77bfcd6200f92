// The file types that llama.cpp's quantizer makes: the type of most matrices, and the larger types of those that suffer most.
using System.Globalization;

namespace LoraBuild.Core.Formats.Gguf;

/// <summary>What the choice of a tensor's type depends on.</summary>
/// <param name="Architecture"><c>general.architecture</c>.</param>
/// <param name="HasOutput">False: the head is the embedding, which then gets the head's type.</param>
public sealed record GgufModelShape(string Architecture, int Layers, int Heads, int KeyValueHeads, bool HasOutput)
{
    /// <summary>llama.cpp's size class "70B": eight heads share their values, which are therefore worth more bits.</summary>
    internal bool IsOf70B => Layers == 80 && (Architecture == "qwen2" || (Architecture == "llama" && Heads != KeyValueHeads));
}

/// <param name="Name">As recipes and the command line write it.</param>
/// <param name="Main">The type of most matrices.</param>
/// <param name="FileType"><c>general.file_type</c> (llama.h, <c>enum llama_ftype</c>).</param>
public sealed record GgufMix(string Name, GgmlType Main, uint FileType)
{
    /// <summary>Every file type that is written.</summary>
    public static IReadOnlyList<GgufMix> All { get; } =
    [
        new("f32", GgmlType.F32, 0),
        new("f16", GgmlType.F16, 1),
        new("bf16", GgmlType.BF16, 32),
        new("q8_0", GgmlType.Q8_0, 7),
        new("q4_0", GgmlType.Q4_0, 2),
        new("q4_1", GgmlType.Q4_1, 3),
        new("q5_0", GgmlType.Q5_0, 8),
        new("q5_1", GgmlType.Q5_1, 9),
        new("q2_k", GgmlType.Q2_K, 10),
        new("q3_k_s", GgmlType.Q3_K, 11),
        new("q3_k_m", GgmlType.Q3_K, 12),
        new("q3_k_l", GgmlType.Q3_K, 13),
        new("q4_k_s", GgmlType.Q4_K, 14),
        new("q4_k_m", GgmlType.Q4_K, 15),
        new("q5_k_s", GgmlType.Q5_K, 16),
        new("q5_k_m", GgmlType.Q5_K, 17),
        new("q6_k", GgmlType.Q6_K, 18),
    ];

    /// <summary>By its name in either case; <c>q4_k</c> and its like mean the medium mix, as for llama.cpp. Null: not written.</summary>
    public static GgufMix? Find(string name)
    {
        string lower = name.ToLowerInvariant();
        return All.FirstOrDefault(m => m.Name == lower) ?? (lower is "q3_k" or "q4_k" or "q5_k" ? All.First(m => m.Name == lower + "_m") : null);
    }

    /// <summary>The type of a matrix.</summary>
    /// <param name="tensor">Its name in the file.</param>
    /// <param name="columns">Length of a row: a type whose blocks do not fit into it is replaced.</param>
    public GgmlType TypeOf(string tensor, long columns, GgufModelShape model)
    {
        if (GgmlTypes.Block(Main)!.Value.Elements == 1)
            return Main;
        bool isHead = tensor == "output.weight" || (tensor == "token_embd.weight" && !model.HasOutput);
        if (isHead && columns % 256 != 0)
            return Fitting(GgmlType.Q8_0, columns);
        return Fitting(isHead ? (Main == GgmlType.Q8_0 ? GgmlType.Q8_0 : GgmlType.Q6_K) : Preferred(tensor, model), columns);
    }

    private GgmlType Preferred(string tensor, GgufModelShape model)
    {
        string[] parts = tensor.Split('.');
        if (parts.Length != 4 || parts[0] != "blk" || parts[3] != "weight")
            return Main;
        int layer = int.Parse(parts[1], CultureInfo.InvariantCulture);
        return parts[2] switch
        {
            "attn_v" or "attn_qkv" => Values(layer, model), // fused rows count as what they hold of the values
            "ffn_down" => Down(layer, model.Layers),
            "attn_output" => Name switch
            {
                "q2_k" => GgmlType.Q3_K,
                "q3_k_m" => GgmlType.Q4_K,
                "q3_k_l" => GgmlType.Q5_K,
                _ => Main,
            },
            _ => Main,
        };
    }

    private GgmlType Values(int layer, GgufModelShape model)
    {
        GgmlType type = Name switch
        {
            "q2_k" => model.Heads / model.KeyValueHeads >= 4 ? GgmlType.Q4_K : GgmlType.Q3_K,
            "q3_k_m" => layer < 2 ? GgmlType.Q5_K : GgmlType.Q4_K,
            "q3_k_l" => GgmlType.Q5_K,
            "q4_k_s" => layer < 4 ? GgmlType.Q5_K : GgmlType.Q4_K,
            "q4_k_m" or "q5_k_m" => HasMoreBits(layer, model.Layers) ? GgmlType.Q6_K : Main,
            _ => Main,
        };
        return model.IsOf70B && type is (GgmlType.Q3_K or GgmlType.Q4_K) ? GgmlType.Q5_K : type;
    }

    private GgmlType Down(int layer, int layers) => Name switch
    {
        "q2_k" => GgmlType.Q3_K,
        "q3_k_m" => layer < layers / 16 ? GgmlType.Q5_K : GgmlType.Q4_K,
        "q3_k_l" => GgmlType.Q5_K,
        "q4_k_s" => layer < layers / 8 ? GgmlType.Q5_K : GgmlType.Q4_K,
        "q4_k_m" or "q5_k_m" => HasMoreBits(layer, layers) ? GgmlType.Q6_K : Main,
        _ => Main,
    };

    /// <summary>The first and the last eighth of the layers, and every third one between.</summary>
    private static bool HasMoreBits(int layer, int layers) => layer < layers / 8 || layer >= 7 * layers / 8 || (layer - (layers / 8)) % 3 == 2;

    /// <summary>The type itself, or the next larger one with blocks of 32, or F16.</summary>
    private static GgmlType Fitting(GgmlType type, long columns)
    {
        if (columns % GgmlTypes.Block(type)!.Value.Elements == 0)
            return type;
        GgmlType fallback = type switch
        {
            GgmlType.Q2_K or GgmlType.Q3_K => GgmlType.Q4_0,
            GgmlType.Q4_K => GgmlType.Q5_0,
            GgmlType.Q5_K => GgmlType.Q5_1,
            GgmlType.Q6_K => GgmlType.Q8_0,
            _ => GgmlType.F16,
        };
        return columns % GgmlTypes.Block(fallback)!.Value.Elements == 0 ? fallback : GgmlType.F16;
    }
}
