// The codes of bitsandbytes that weights are compressed with.
namespace LoraBuild.Core.Formats.BitsAndBytes;

public enum WeightCode
{
    /// <summary>Sixteen quantiles of the normal distribution (Dettmers et al. 2023, QLoRA).</summary>
    Nf4,

    /// <summary>A sign, two bits of exponent, one of mantissa.</summary>
    Fp4,

    /// <summary>Whole numbers from −127 to 127 with one scale a row (Dettmers et al. 2022, LLM.int8, the weights' half of it).</summary>
    Int8,
}

public static class WeightCodes
{
    /// <summary>The name in recipes, in <c>quant_type</c>, and at the end of <c>quant_state.bitsandbytes__</c>.</summary>
    public static string Name(this WeightCode code) => code switch
    {
        WeightCode.Nf4 => "nf4",
        WeightCode.Fp4 => "fp4",
        _ => "int8",
    };

    /// <summary>Null for a name that is none of them.</summary>
    public static WeightCode? Find(string name) => name switch
    {
        "nf4" => WeightCode.Nf4,
        "fp4" => WeightCode.Fp4,
        "int8" => WeightCode.Int8,
        _ => null,
    };
}
