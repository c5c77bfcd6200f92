// A weight as bitsandbytes' codes in memory, and on its way into a checkpoint in bitsandbytes' own layout.
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <param name="Shape">[out, in].</param>
/// <param name="BlockSize">Weights that share a scale; of int8 a row.</param>
/// <param name="Codes">Two a byte, or of int8 one.</param>
/// <param name="Scales">One a block; with <paramref name="Nested"/> empty.</param>
/// <param name="Nested">The compressed scales; null: they are plain.</param>
public sealed record PackedArrays(WeightCode Code, long[] Shape, int BlockSize, byte[] Codes, float[] Scales, NestedScales? Nested)
{
    private float[]? decodedScales;

    /// <param name="values">[out, in], row-major.</param>
    /// <param name="blockSize">Of four-bit codes.</param>
    /// <param name="hasNestedScales">Double quantisation; of four-bit codes.</param>
    /// <param name="threads">Null: all cores.</param>
    public static PackedArrays Encode(WeightCode code, ReadOnlyMemory<float> values, long[] shape, int blockSize, bool hasNestedScales, int? threads = null)
    {
        if (code == WeightCode.Int8)
            return Int8(values, shape, threads);
        byte[] codes = new byte[FourBitBlocks.PackedBytes(values.Length)];
        float[] scales = new float[FourBitBlocks.BlockCount(values.Length, blockSize)];
        FourBitBlocks.Encode(code, values, blockSize, codes, scales, threads);
        return hasNestedScales
            ? new PackedArrays(code, shape, blockSize, codes, [], NestedScales.Encode(scales))
            : new PackedArrays(code, shape, blockSize, codes, scales, null);
    }

    /// <summary>The elements [first, first + destination.Length) of the row-major matrix in fp32. The scales are decoded once.</summary>
    public void Decode(long first, Span<float> destination)
    {
        if (Code != WeightCode.Int8)
        {
            FourBitBlocks.Decode(FourBitTables.Values(Code), Codes, decodedScales ??= Nested?.Decode() ?? Scales, BlockSize, first, destination);
            return;
        }

        for (int done = 0; done < destination.Length;)
        {
            long element = first + done;
            int count = (int)Math.Min(destination.Length - done, BlockSize - (element % BlockSize));
            Int8Rows.Decode(MemoryMarshal.Cast<byte, sbyte>(Codes.AsSpan((int)element, count)), Scales[element / BlockSize], destination.Slice(done, count));
            done += count;
        }
    }

    /// <summary>The tensors of the weight as <see cref="PackedWeight"/> reads them, and as bitsandbytes and transformers do.</summary>
    /// <param name="storedAs">Type of the weight before.</param>
    public IReadOnlyList<TensorToWrite> ToWrite(string name, TensorDtype storedAs)
    {
        if (Code == WeightCode.Int8)
        {
            string module = name[..name.LastIndexOf('.')];
            return
            [
                TensorToWrite.FromBytes(name, TensorDtype.I8, Shape, Codes),
                TensorToWrite.FromFloat32(module + ".SCB", [Shape[0]], Scales),
                TensorToWrite.FromBytes(module + ".weight_format", TensorDtype.U8, [], new byte[1]),
            ];
        }

        JsonObject state = new()
        {
            ["quant_type"] = Code.Name(),
            ["blocksize"] = BlockSize,
            ["dtype"] = storedAs.TorchName(),
            ["shape"] = new JsonArray(Shape[0], Shape[1]),
        };
        List<TensorToWrite> tensors =
        [
            TensorToWrite.FromBytes(name, TensorDtype.U8, [Codes.Length, 1], Codes),
            TensorToWrite.FromFloat32(name + ".quant_map", [16], FourBitTables.Values(Code).ToArray()),
        ];
        if (Nested is null)
        {
            tensors.Add(TensorToWrite.FromFloat32(name + ".absmax", [Scales.Length], Scales));
        }
        else
        {
            tensors.Add(TensorToWrite.FromBytes(name + ".absmax", TensorDtype.U8, [Nested.Codes.Length], Nested.Codes));
            tensors.Add(TensorToWrite.FromFloat32(name + ".nested_absmax", [Nested.Absmax.Length], Nested.Absmax));
            tensors.Add(TensorToWrite.FromFloat32(name + ".nested_quant_map", [Nested.Map.Length], Nested.Map));
            state["nested_blocksize"] = Nested.BlockSize;
            state["nested_dtype"] = "float32";
            state["nested_offset"] = (double)Nested.Offset;
        }

        byte[] json = Encoding.UTF8.GetBytes(state.ToJsonString());
        tensors.Add(TensorToWrite.FromBytes($"{name}.quant_state.bitsandbytes__{Code.Name()}", TensorDtype.U8, [json.Length], json));
        return tensors;
    }

    private static PackedArrays Int8(ReadOnlyMemory<float> values, long[] shape, int? threads)
    {
        int columns = checked((int)shape[1]);
        byte[] codes = new byte[values.Length];
        float[] scales = new float[shape[0]];
        BoundedParallel.For(scales.Length, threads, row =>
            scales[row] = Int8Rows.Encode(values.Span.Slice(row * columns, columns), MemoryMarshal.Cast<byte, sbyte>(codes.AsSpan(row * columns, columns))));
        return new PackedArrays(WeightCode.Int8, shape, columns, codes, scales, null);
    }
}
