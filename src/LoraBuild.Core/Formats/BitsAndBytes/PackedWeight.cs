// One weight of a checkpoint that bitsandbytes saved: which tensors belong to it, and whether they fit together.
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats.BitsAndBytes;

/// <summary>
/// Four bits: <c>N.weight</c> holds the codes, beside it stand <c>.absmax</c>, <c>.quant_map</c>, with double quantisation <c>.nested_absmax</c> and
/// <c>.nested_quant_map</c>, and <c>.quant_state.bitsandbytes__nf4</c> or <c>…__fp4</c>, a JSON object as bytes. Eight bits: <c>N.weight</c> int8 [out, in] and <c>N.SCB</c> fp32 [out].
/// </summary>
public sealed record PackedWeight
{
    private const string StatePrefix = ".quant_state.bitsandbytes__";
    private const string WeightSuffix = ".weight";

    private static readonly string[] Parts = [".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"];

    /// <summary>Name of the weight.</summary>
    public required string Name { get; init; }

    public required WeightCode Code { get; init; }

    /// <summary>[out, in].</summary>
    public required long[] Shape { get; init; }

    /// <summary>Weights that share a scale; of int8 a row.</summary>
    public required int BlockSize { get; init; }

    public required string Codes { get; init; }

    /// <summary>fp32 scales, or their codes when <see cref="Nested"/>.</summary>
    public required string Scales { get; init; }

    /// <summary>The sixteen values; null: int8.</summary>
    public string? Map { get; init; }

    public NestedParts? Nested { get; init; }

    /// <summary>The type that the weight had; null: not said.</summary>
    public TensorDtype? StoredAs { get; init; }

    public long Count => Shape[0] * Shape[1];

    /// <summary>The weight of this name as bitsandbytes stored it; null where it is an ordinary tensor, or none.</summary>
    /// <exception cref="DiagnosticException">LB0414: parts are missing or do not fit together.</exception>
    public static PackedWeight? Find(ModelFiles files, string name)
    {
        if (!files.Tensors.TryGetValue(name, out TensorEntry? codes))
            return null;
        if (files.Tensors.ContainsKey(ScaleOfInt8(name)))
            return Int8(files, name, codes);
        foreach (WeightCode code in (WeightCode[])[WeightCode.Nf4, WeightCode.Fp4])
        {
            string state = name + StatePrefix + code.Name();
            if (files.Tensors.ContainsKey(state))
                return FourBit(files, name, code, state);
        }

        return null;
    }

    /// <summary>True for a tensor that only belongs to a packed weight.</summary>
    public static bool IsPart(ModelFiles files, string name)
    {
        int state = name.IndexOf(StatePrefix, StringComparison.Ordinal);
        if (state >= 0)
            return files.Tensors.ContainsKey(name[..state]);
        if (Array.Find(Parts, name.EndsWith) is { } part)
            return files.Tensors.ContainsKey(name[..^part.Length]);
        foreach (string suffix in (string[])[".SCB", ".weight_format"])
        {
            if (name.EndsWith(suffix, StringComparison.Ordinal))
                return files.Tensors.ContainsKey(name[..^suffix.Length] + WeightSuffix);
        }

        return false;
    }

    /// <summary>Codes and scales in memory.</summary>
    public PackedArrays ReadPacked(ModelFiles files) => new(
        Code, Shape, BlockSize, Bytes(files, Codes).ToArray(), Nested is null ? files.ReadFloat32(Scales) : [], Nested is null ? null : NestedOf(files));

    /// <summary>The weight's values in fp32, rows [first, first + count).</summary>
    public float[] Read(ModelFiles files, long first, long count)
    {
        long columns = Shape[1];
        float[] values = GC.AllocateUninitializedArray<float>(checked((int)(count * columns)));
        if (Code == WeightCode.Int8)
        {
            float[] rowScales = files.ReadFloat32(Scales);
            for (int row = 0; row < count; row++)
                Int8Rows.Decode(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, sbyte>(Bytes(files, Codes).Slice((int)((first + row) * columns), (int)columns)), rowScales[first + row], values.AsSpan(row * (int)columns, (int)columns));
            return values;
        }

        float[] scales = Nested is null ? files.ReadFloat32(Scales) : NestedOf(files).Decode();
        FourBitBlocks.Decode(files.ReadFloat32(Map!), Bytes(files, Codes), scales, BlockSize, first * columns, values);
        return values;
    }

    /// <summary>The compressed scales.</summary>
    public NestedScales NestedOf(ModelFiles files) =>
        new(Bytes(files, Scales).ToArray(), files.ReadFloat32(Nested!.Absmax), files.ReadFloat32(Nested.Map), Nested.Offset, Nested.BlockSize);

    private static string ScaleOfInt8(string name) => name.EndsWith(WeightSuffix, StringComparison.Ordinal) ? name[..^WeightSuffix.Length] + ".SCB" : name + ".SCB";

    private static ReadOnlySpan<byte> Bytes(ModelFiles files, string name) => files.FileOf(name).GetBytes(name);

    private static PackedWeight Int8(ModelFiles files, string name, TensorEntry codes)
    {
        string scales = ScaleOfInt8(name);
        TensorEntry scale = files.Tensors[scales];
        string file = files.FileOf(name).Path;
        if (codes.Dtype != TensorDtype.I8 || codes.Shape.Length != 2)
            throw Wrong(name, $"its codes are {codes.Dtype.SafetensorsName()} {codes.ShapeText}; needed is I8 [out, in]", file);
        if (scale.Dtype != TensorDtype.F32 || scale.ElementCount != codes.Shape[0])
            throw Wrong(name, $"'{scales}' is {scale.Dtype.SafetensorsName()} {scale.ShapeText}; needed is F32 [{codes.Shape[0]}]", file);
        // 0: row after row. The other orders were made for old GPUs and are not saved by current versions.
        string format = name[..^WeightSuffix.Length] + ".weight_format";
        if (files.Tensors.ContainsKey(format) && files.FileOf(format).ReadInt64(format).Any(f => f != 0))
            throw Wrong(name, "its codes are not stored row after row (weight_format is not 0); save the model again with a current bitsandbytes", file);
        return new PackedWeight { Name = name, Code = WeightCode.Int8, Shape = codes.Shape, BlockSize = checked((int)codes.Shape[1]), Codes = name, Scales = scales };
    }

    private static PackedWeight FourBit(ModelFiles files, string name, WeightCode code, string state)
    {
        string file = files.FileOf(state).Path;
        JsonObject json = State(name, files.FileOf(state).GetBytes(state), file);
        long[] shape = json["shape"] is JsonArray { Count: 2 } axes && axes.All(a => IsWhole(a, 1, int.MaxValue)) ? [.. axes.Select(a => a!.GetValue<long>())] : throw Wrong(name, "its state has no shape [out, in]", file);
        int blockSize = Whole(json, "blocksize", name, file);
        if (Text(json, "quant_type") is string type && type != code.Name())
            throw Wrong(name, $"its state says {type}, its name {code.Name()}", file);
        long elements = checked(shape[0] * shape[1]);
        long blocks = FourBitBlocks.BlockCount(elements, blockSize);
        bool isNested = json.ContainsKey("nested_blocksize");
        // Whatever type the codes are stored under (quant_storage), their bytes are the same.
        Need(files, name, null, FourBitBlocks.PackedBytes(elements), name);
        Need(files, name + ".absmax", isNested ? TensorDtype.U8 : TensorDtype.F32, blocks * (isNested ? 1 : 4), name);
        Need(files, name + ".quant_map", TensorDtype.F32, 16 * 4, name);
        NestedParts? nested = null;
        if (isNested)
        {
            int nestedBlock = Whole(json, "nested_blocksize", name, file);
            nested = new NestedParts(name + ".nested_absmax", name + ".nested_quant_map", nestedBlock, Offset(json, name, file));
            Need(files, nested.Absmax, TensorDtype.F32, (blocks + nestedBlock - 1) / nestedBlock * 4, name);
            Need(files, nested.Map, TensorDtype.F32, 256 * 4, name);
        }

        return new PackedWeight { Name = name, Code = code, Shape = shape, BlockSize = blockSize, Codes = name, Scales = name + ".absmax", Map = name + ".quant_map", Nested = nested, StoredAs = Text(json, "dtype") is string dtype && TensorDtypes.TryParseTorch(dtype, out TensorDtype storedAs) && storedAs.IsFloat() ? storedAs : null };
    }

    private static JsonObject State(string name, ReadOnlySpan<byte> bytes, string file)
    {
        const int MaxBytes = 1 << 16; // a few hundred in every file seen
        try
        {
            if (bytes.Length <= MaxBytes && JsonNode.Parse(bytes, null, new JsonDocumentOptions { MaxDepth = 4 }) is JsonObject state)
                return state;
        }
        catch (JsonException e)
        {
            throw Wrong(name, $"its state is not JSON: {e.Message}", file);
        }

        throw Wrong(name, "its state is not a JSON object", file);
    }

    private static bool IsWhole(JsonNode? node, long least, long most) =>
        node is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out long number) && number >= least && number <= most;

    private static string? Text(JsonObject json, string key) => json[key] is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    private static int Whole(JsonObject json, string key, string name, string file) =>
        IsWhole(json[key], 2, 1 << 20) && json[key]!.GetValue<long>() % 2 == 0 ? (int)json[key]!.GetValue<long>() : throw Wrong(name, $"its state's {key} is {json[key]?.ToJsonString() ?? "missing"}; an even number is needed", file);

    private static float Offset(JsonObject json, string name, string file) =>
        json["nested_offset"] is JsonValue value && value.GetValueKind() == JsonValueKind.Number && value.TryGetValue(out double offset) && double.IsFinite(offset)
            ? (float)offset
            : throw Wrong(name, "its state has no nested_offset", file);

    private static void Need(ModelFiles files, string part, TensorDtype? dtype, long bytes, string name)
    {
        if (!files.Tensors.TryGetValue(part, out TensorEntry? entry))
            throw Wrong(name, $"the tensor '{part}' is missing", files.Directory);
        if (entry.ByteLength != bytes || (dtype is not null && entry.Dtype != dtype))
            throw Wrong(name, $"'{part}' is {entry.Dtype.SafetensorsName()} {entry.ShapeText}, {entry.ByteLength} bytes; needed are {bytes} bytes{(dtype is { } type ? $" of {type.SafetensorsName()}" : "")}", files.FileOf(part).Path);
    }

    private static DiagnosticException Wrong(string name, string what, string file) =>
        new("LB0414", $"the quantised weight '{name}' cannot be read: {what}", file);
}

/// <param name="Absmax">Name of the scales' scales.</param>
/// <param name="Map">Name of the 256 values.</param>
public sealed record NestedParts(string Absmax, string Map, int BlockSize, float Offset);
