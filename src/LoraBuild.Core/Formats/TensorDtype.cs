// The element types that safetensors files hold, with their names, sizes and order.
namespace LoraBuild.Core.Formats;

/// <summary>Element type of a stored tensor.</summary>
public enum TensorDtype
{
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
    U16,
    U32,
    U64,

    /// <summary>8-bit float, 4 exponent bits. Carried and shown, never computed with.</summary>
    F8E4M3,

    /// <summary>8-bit float, 5 exponent bits. Carried and shown, never computed with.</summary>
    F8E5M2,
}

public static class TensorDtypes
{
    /// <summary>Bytes of one element.</summary>
    public static int ByteSize(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.F64 or TensorDtype.I64 or TensorDtype.U64 => 8,
        TensorDtype.F32 or TensorDtype.I32 or TensorDtype.U32 => 4,
        TensorDtype.F16 or TensorDtype.BF16 or TensorDtype.I16 or TensorDtype.U16 => 2,
        TensorDtype.I8 or TensorDtype.U8 or TensorDtype.Bool or TensorDtype.F8E4M3 or TensorDtype.F8E5M2 => 1,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>F32, F16, BF16 or F64: what can be widened or narrowed to fp32.</summary>
    public static bool IsFloat(this TensorDtype dtype) => dtype is TensorDtype.F32 or TensorDtype.F16 or TensorDtype.BF16 or TensorDtype.F64;

    /// <summary>The name in a safetensors header.</summary>
    public static string SafetensorsName(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.Bool => "BOOL",
        TensorDtype.F8E4M3 => "F8_E4M3",
        TensorDtype.F8E5M2 => "F8_E5M2",
        _ => dtype.ToString(),
    };

    /// <summary>False for a name that no safetensors file of this kind uses.</summary>
    public static bool TryParseSafetensors(string name, out TensorDtype dtype)
    {
        foreach (TensorDtype candidate in Enum.GetValues<TensorDtype>())
        {
            if (candidate.SafetensorsName() == name)
            {
                dtype = candidate;
                return true;
            }
        }

        dtype = default;
        return false;
    }

    /// <summary>The name in a Hugging Face config (<c>dtype</c>, <c>torch_dtype</c>): float32, bfloat16, …</summary>
    public static string TorchName(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.F64 => "float64",
        TensorDtype.F32 => "float32",
        TensorDtype.F16 => "float16",
        TensorDtype.BF16 => "bfloat16",
        TensorDtype.Bool => "bool",
        TensorDtype.F8E4M3 => "float8_e4m3fn",
        TensorDtype.F8E5M2 => "float8_e5m2",
        TensorDtype.I64 or TensorDtype.I32 or TensorDtype.I16 or TensorDtype.I8 => $"int{dtype.ByteSize() * 8}",
        _ => $"uint{dtype.ByteSize() * 8}",
    };

    /// <summary>Reads a Hugging Face dtype name, with or without the prefix <c>torch.</c>.</summary>
    public static bool TryParseTorch(string name, out TensorDtype dtype)
    {
        string bare = name.StartsWith("torch.", StringComparison.Ordinal) ? name[6..] : name;
        foreach (TensorDtype candidate in Enum.GetValues<TensorDtype>())
        {
            if (candidate.TorchName() == bare)
            {
                dtype = candidate;
                return true;
            }
        }

        dtype = default;
        return false;
    }

    /// <summary>Position in the order by which Hugging Face's library lays tensors out (larger first: the order of its Dtype enumeration, which rises with alignment).</summary>
    internal static int LayoutRank(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.Bool => 0,
        TensorDtype.U8 => 1,
        TensorDtype.I8 => 2,
        TensorDtype.F8E5M2 => 3,
        TensorDtype.F8E4M3 => 4,
        TensorDtype.I16 => 5,
        TensorDtype.U16 => 6,
        TensorDtype.F16 => 7,
        TensorDtype.BF16 => 8,
        TensorDtype.I32 => 9,
        TensorDtype.U32 => 10,
        TensorDtype.F32 => 11,
        TensorDtype.F64 => 12,
        TensorDtype.I64 => 13,
        TensorDtype.U64 => 14,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };
}
