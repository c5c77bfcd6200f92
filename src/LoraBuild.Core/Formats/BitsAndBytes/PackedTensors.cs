// A weight on its way into a checkpoint in bitsandbytes' own layout.
using System.Text;
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Formats.BitsAndBytes;

public static class PackedTensors
{
    /// <summary>The tensors of a weight, as <see cref="PackedWeight"/> reads them and as bitsandbytes and transformers do.</summary>
    /// <param name="values">[rows, columns], row-major.</param>
    /// <param name="blockSize">Of four-bit codes.</param>
    /// <param name="hasNestedScales">Double quantisation; of four-bit codes.</param>
    /// <param name="storedAs">Type of the weight before.</param>
    /// <param name="threads">Null: all cores.</param>
    public static IReadOnlyList<TensorToWrite> Of(string name, WeightCode code, ReadOnlyMemory<float> values, long rows, long columns, int blockSize, bool hasNestedScales, TensorDtype storedAs, int? threads = null) =>
        code == WeightCode.Int8 ? Int8(name, values, rows, columns) : FourBit(name, code, values, rows, columns, blockSize, hasNestedScales, storedAs, threads);

    private static List<TensorToWrite> Int8(string name, ReadOnlyMemory<float> values, long rows, long columns)
    {
        sbyte[] codes = new sbyte[values.Length];
        float[] scales = new float[rows];
        for (int row = 0; row < rows; row++)
            scales[row] = Int8Rows.Encode(values.Span.Slice(row * (int)columns, (int)columns), codes.AsSpan(row * (int)columns, (int)columns));
        string module = name[..name.LastIndexOf('.')];
        return
        [
            TensorToWrite.FromBytes(name, TensorDtype.I8, [rows, columns], System.Runtime.InteropServices.MemoryMarshal.AsBytes(codes.AsSpan()).ToArray()),
            TensorToWrite.FromFloat32(module + ".SCB", [rows], scales),
            TensorToWrite.FromBytes(module + ".weight_format", TensorDtype.U8, [], new byte[1]),
        ];
    }

    private static List<TensorToWrite> FourBit(string name, WeightCode code, ReadOnlyMemory<float> values, long rows, long columns, int blockSize, bool hasNestedScales, TensorDtype storedAs, int? threads)
    {
        byte[] packed = new byte[FourBitBlocks.PackedBytes(values.Length)];
        float[] scales = new float[FourBitBlocks.BlockCount(values.Length, blockSize)];
        FourBitBlocks.Encode(code, values, blockSize, packed, scales, threads);
        JsonObject state = new()
        {
            ["quant_type"] = code.Name(),
            ["blocksize"] = blockSize,
            ["dtype"] = storedAs.TorchName(),
            ["shape"] = new JsonArray(rows, columns),
        };
        List<TensorToWrite> tensors =
        [
            TensorToWrite.FromBytes(name, TensorDtype.U8, [packed.Length, 1], packed),
            TensorToWrite.FromFloat32(name + ".quant_map", [16], FourBitTables.Values(code).ToArray()),
        ];
        if (hasNestedScales)
        {
            NestedScales nested = NestedScales.Encode(scales);
            tensors.Add(TensorToWrite.FromBytes(name + ".absmax", TensorDtype.U8, [nested.Codes.Length], nested.Codes));
            tensors.Add(TensorToWrite.FromFloat32(name + ".nested_absmax", [nested.Absmax.Length], nested.Absmax));
            tensors.Add(TensorToWrite.FromFloat32(name + ".nested_quant_map", [nested.Map.Length], nested.Map));
            state["nested_blocksize"] = nested.BlockSize;
            state["nested_dtype"] = "float32";
            state["nested_offset"] = (double)nested.Offset;
        }
        else
        {
            tensors.Add(TensorToWrite.FromFloat32(name + ".absmax", [scales.Length], scales));
        }

        byte[] json = Encoding.UTF8.GetBytes(state.ToJsonString());
        tensors.Add(TensorToWrite.FromBytes($"{name}.quant_state.bitsandbytes__{code.Name()}", TensorDtype.U8, [json.Length], json));
        return tensors;
    }
}
