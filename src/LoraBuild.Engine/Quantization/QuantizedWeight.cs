// A linear module's weight as bitsandbytes' codes.
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;
#if NATIVE_KERNELS
using LoraBuild.Torch.Kernels;
#endif

namespace LoraBuild.Engine.Quantization;

/// <summary>W' = table[code] · scale (NF4, FP4), or code · scale / 127 (int8), widened by tile inside each product.</summary>
public sealed class QuantizedWeight : IFrozenWeight
{
    private readonly Tensor codes; // uint8 [bytes], or int8 [out, in]
    private readonly Tensor scales; // fp32 [blocks], or their codes uint8 [blocks]
    private readonly Tensor? nestedScales; // fp32
    private readonly Tensor? nestedMap; // fp32 [256]
    private readonly Tensor? table; // fp32 [16]
    private readonly Tensor? pairs; // fp32 [256, 2]: what a byte of two codes stands for; made when it is needed
    private readonly ScalarType computeType;
    private readonly int blockSize;
    private readonly int nestedBlockSize;
    private readonly float offset;
#if NATIVE_KERNELS
    private readonly FrozenOnDevice? onDevice;
#endif

    private QuantizedWeight(WeightCode code, long[] shape, int blockSize, ScalarType computeType, Tensor codes, Tensor scales, float[]? table, (Tensor Scales, Tensor Map, int BlockSize, float Offset)? nested)
    {
        Code = code;
        OutFeatures = shape[0];
        InFeatures = shape[1];
        this.computeType = computeType;
        this.blockSize = blockSize;
        this.codes = codes.DetachFromDisposeScope();
        this.scales = scales.DetachFromDisposeScope();
        nestedScales = nested?.Scales.DetachFromDisposeScope();
        nestedMap = nested?.Map.DetachFromDisposeScope();
        nestedBlockSize = nested?.BlockSize ?? 0;
        offset = nested?.Offset ?? 0;
        if (table is not null)
        {
            this.table = tensor(table, device: codes.device).DetachFromDisposeScope();
            float[] twos = [.. Enumerable.Range(0, 256).SelectMany(b => new[] { table[b >> 4], table[b & 15] })];
            pairs = tensor(twos, [256, 2], device: codes.device).DetachFromDisposeScope();
        }

#if NATIVE_KERNELS
        bool rounds = computeType == ScalarType.BFloat16;
        if (codes.device_type == TorchSharp.DeviceType.CPU)
        {
            Native = table is null
                ? TiledWeight.Int8(codes, scales, rounds)
                : TiledWeight.FourBit(OutFeatures, InFeatures, codes, scales, blockSize, table, rounds, nestedScales, nestedMap, nestedBlockSize, offset);
        }
        else if (codes.device_type == TorchSharp.DeviceType.CUDA && CudaKernels.AreBuilt)
        {
            onDevice = table is null
                ? FrozenOnDevice.Int8(this.codes, this.scales)
                : FrozenOnDevice.FourBit(OutFeatures, InFeatures, this.codes, this.scales, blockSize, table, nestedMap!, nestedScales!, nestedBlockSize, offset);
        }
#endif
    }

    public WeightCode Code { get; }

    public long OutFeatures { get; }

    public long InFeatures { get; }

    public Device Device => codes.device;

#if NATIVE_KERNELS
    public TiledWeight? Native { get; }
#endif

    /// <inheritdoc/>
    public long ByteCount => new[] { codes, scales, nestedScales, nestedMap, table, pairs }.Sum(t => t is null ? 0 : t.NumberOfElements * t.ElementSize);

    /// <summary>A weight in memory of its own.</summary>
    public static QuantizedWeight Of(PackedArrays packed, ScalarType computeType, Device device)
    {
        using var scope = NewDisposeScope();
        Tensor codes = packed.Code == WeightCode.Int8
            ? FromBytes(packed.Codes, packed.Shape, ScalarType.Int8).to(device)
            : FromBytes(packed.Codes, [packed.Codes.Length], ScalarType.Byte).to(device);
        Tensor scales = packed.Nested is null ? tensor(packed.Scales, device: device) : FromBytes(packed.Nested.Codes, [packed.Nested.Codes.Length], ScalarType.Byte).to(device);
        return new QuantizedWeight(
            packed.Code,
            packed.Shape,
            packed.BlockSize,
            computeType,
            codes,
            scales,
            packed.Code == WeightCode.Int8 ? null : FourBitTables.Values(packed.Code).ToArray(),
            packed.Nested is { } nested ? (tensor(nested.Absmax, device: device), tensor(nested.Map, device: device), nested.BlockSize, nested.Offset) : null);
    }

    /// <summary>Random codes, each as likely as the others, whose numbers spread like those of a random weight: for measurements, since drawing a large model's weights and encoding them takes minutes.</summary>
    /// <param name="spread">Root of the mean square of the numbers.</param>
    public static QuantizedWeight Random(QuantizationOptions options, long[] shape, double spread, ScalarType computeType, Device device)
    {
        using var scope = NewDisposeScope();
        if (options.Code == WeightCode.Int8)
        {
            double ofCodes = Math.Sqrt(Enumerable.Range(-127, 255).Average(c => (double)c * c)) / 127;
            return new QuantizedWeight(
                WeightCode.Int8, shape, 0, computeType, randint(-127, 128, shape, ScalarType.Int8, device), full([shape[0]], (float)(spread / ofCodes), dtype: ScalarType.Float32, device: device), null, null);
        }

        const int group = NestedScales.DefaultBlockSize;
        float[] table = FourBitTables.Values(options.Code).ToArray();
        long count = shape[0] * shape[1], blocks = (count + options.BlockSize - 1) / options.BlockSize;
        float scale = (float)(spread / Math.Sqrt(table.Average(v => (double)v * v)));
        Tensor codes = randint(0, 256, [(count + 1) / 2], ScalarType.Byte, device);
        if (!options.HasDoubleQuantization)
            return new QuantizedWeight(options.Code, shape, options.BlockSize, computeType, codes, full([blocks], scale, dtype: ScalarType.Float32, device: device), table, null);
        Tensor absmax = full([(blocks + group - 1) / group], scale / 8, dtype: ScalarType.Float32, device: device); // scales differ a little around the offset
        return new QuantizedWeight(
            options.Code, shape, options.BlockSize, computeType, codes, randint(0, 256, [blocks], ScalarType.Byte, device), table, (absmax, tensor(DynamicCodes.Signed.ToArray(), device: device), group, scale));
    }

    /// <summary>A weight of a checkpoint.</summary>
    /// <param name="read">A tensor of the files by name, mapped where it can be; owned by the weight.</param>
    internal static QuantizedWeight Of(PackedWeight packed, ScalarType computeType, Func<string, Tensor> read)
    {
        using var scope = NewDisposeScope();
        Tensor codes = read(packed.Codes);
        bool isInt8 = packed.Code == WeightCode.Int8;
        return new QuantizedWeight(
            packed.Code,
            packed.Shape,
            packed.BlockSize,
            computeType,
            isInt8 ? codes : codes.view(-1),
            read(packed.Scales).view(-1),
            isInt8 ? null : TensorTypes.ToFloat32Array(read(packed.Map!)),
            packed.Nested is { } nested ? (read(nested.Absmax), read(nested.Map), nested.BlockSize, nested.Offset) : null);
    }

    /// <inheritdoc/>
    public Tensor Linear(Tensor x, Tensor? bias)
    {
#if NATIVE_KERNELS
        if (Native is not null)
            return Native.Linear(x, bias);
        if (onDevice is not null && x.dtype == computeType && CudaKernels.Fit(x))
        {
            Tensor y = onDevice.Linear(x);
            return bias is null ? y : y.add_(bias);
        }
#endif
        return TiledLinear.Apply(x, this, computeType, bias);
    }

    /// <inheritdoc/>
    public Tensor Rows(long first, long count)
    {
#if NATIVE_KERNELS
        if (Native is not null)
            return Native.Rows(first, count);
        Tensor wide = table ?? scales; // of int8 codes fp32 too
        if (onDevice is not null && CudaKernels.Fit(wide))
            return onDevice.Rows(wide, first, count);
#endif
        return ReferenceRows(first, count);
    }

    /// <inheritdoc/>
    public Tensor Rows(Tensor ids)
    {
        using var scope = NewDisposeScope();
        return cat([.. ids.cpu().data<long>().Select(id => Rows(id, 1))], 0).MoveToOuterDisposeScope();
    }

    /// <summary>The same in tensor calls, which is what the native decoding has to equal.</summary>
    internal Tensor ReferenceRows(long first, long count)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        if (table is null)
        {
            Tensor rows = codes.narrow(0, first, count).to_type(ScalarType.Float32);
            return rows.mul(scales.narrow(0, first, count).unsqueeze(1)).mul(Int8Rows.OneOver127).MoveToOuterDisposeScope();
        }

        // Whole blocks around the rows, so that every element has its place in a byte and in a block.
        long total = OutFeatures * InFeatures;
        long start = first * InFeatures, end = (first + count) * InFeatures;
        long firstBlock = start / blockSize, blocks = ((end + blockSize - 1) / blockSize) - firstBlock;
        long from = firstBlock * blockSize, elements = Math.Min(total, (firstBlock + blocks) * blockSize) - from;
        Tensor bytes = codes.narrow(0, from / 2, (elements + 1) / 2).to_type(ScalarType.Int64);
        Tensor values = pairs!.index_select(0, bytes).view(-1).narrow(0, 0, elements);
        Tensor ofElements = Scales(firstBlock, blocks).repeat_interleave(blockSize).narrow(0, 0, elements);
        return values.mul(ofElements).narrow(0, start - from, end - start).view(count, InFeatures).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>The product in tensor calls, which is what the native one has to equal.</summary>
    internal Tensor ReferenceLinear(Tensor x, Tensor? bias) => TiledLinear.Apply(x, new Reference(this), computeType, bias);

    public void Dispose()
    {
#if NATIVE_KERNELS
        Native?.Dispose();
#endif
        codes.Dispose();
        scales.Dispose();
        nestedScales?.Dispose();
        nestedMap?.Dispose();
        table?.Dispose();
        pairs?.Dispose();
    }

    /// <returns>fp32 [count].</returns>
    private Tensor Scales(long first, long count)
    {
        Tensor stored = scales.narrow(0, first, count);
        if (nestedScales is null)
            return stored;
        Tensor group = arange(first, first + count, device: Device).div(nestedBlockSize, RoundingMode.floor).to_type(ScalarType.Int64);
        return nestedMap!.index_select(0, stored.to_type(ScalarType.Int64)).mul(nestedScales.index_select(0, group)).add(offset);
    }

    private static Tensor FromBytes(byte[] bytes, long[] shape, ScalarType type)
    {
        Tensor result = empty(shape, dtype: type);
        bytes.CopyTo(result.bytes);
        return result;
    }

    /// <summary>A weight whose rows come from tensor calls.</summary>
    private sealed class Reference(QuantizedWeight weight) : IFrozenWeight
    {
        public long OutFeatures => weight.OutFeatures;

        public long InFeatures => weight.InFeatures;

        public long ByteCount => weight.ByteCount;

        public Device Device => weight.Device;

        public Tensor Linear(Tensor x, Tensor? bias) => weight.ReferenceLinear(x, bias);

        public Tensor Rows(long first, long count) => weight.ReferenceRows(first, count);

        public Tensor Rows(Tensor ids) => weight.Rows(ids);

        public void Dispose()
        {
        }
    }
}
