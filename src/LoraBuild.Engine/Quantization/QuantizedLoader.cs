// Brings the linear weights of a decoder's layers into memory as codes: those of a quantised checkpoint, of the cache, or made from the model's own as they are read.
using System.Globalization;
using System.Runtime.CompilerServices;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Quantization;

/// <summary>At no time is there more than the codes and one weight that is being encoded.</summary>
internal sealed class QuantizedLoader : IDisposable
{
    private readonly ModelFiles files;
    private readonly QuantizationOptions? options;
    private readonly ScalarType computeType;
    private readonly Device device;
    private readonly MappedTensors maps;
    private readonly ModelFiles? cached;

    /// <param name="options">Null: only what is stored quantised is held so.</param>
    /// <param name="names">All weights to encode, by their names in the files; not those that are stored quantised.</param>
    /// <param name="maps">Of the files.</param>
    /// <exception cref="DiagnosticException">LB0414: a quantised weight is damaged. LB0515: one to encode is not finite.</exception>
    /// <exception cref="OperationCanceledException">While codes were made; nothing of them is kept.</exception>
    public QuantizedLoader(ModelFiles files, QuantizationOptions? options, IReadOnlyList<string> names, ScalarType computeType, Device device, MappedTensors maps)
    {
        this.files = files;
        this.options = options;
        this.computeType = computeType;
        this.device = device;
        this.maps = maps;
        if (options?.Cache is not { } cache || names.Count == 0)
            return;
        cached = cache.Open(options);
        if (cached is null)
        {
            WriteCache(cache, options, names);
            // What encoding leaves is as large as all codes and several weights; training would drag it along.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            cached = cache.Open(options) ?? throw new IOException($"the quantised weights that were just written to {cache.Directory} cannot be read");
        }
    }

    /// <summary>The weight of this name in the files; detached from dispose scopes, owned by the caller.</summary>
    /// <returns>Null: neither stored quantised nor to be quantised.</returns>
    public QuantizedWeight? Load(string name)
    {
        if (PackedWeight.Find(files, name) is { } stored)
            return Mapped(files, stored);
        if (options is null)
            return null;
        return cached is null
            ? QuantizedWeight.Of(Encode(name), computeType, device)
            : Mapped(cached, PackedWeight.Find(cached, name) ?? throw new DiagnosticException("LB0414", $"the quantised weight '{name}' cannot be read: the cache lacks it. Delete the folder", cached.Directory));
    }

    public void Dispose() => cached?.Dispose();

    /// <summary>A frame of its own: nothing refers to the codes when it is left.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WriteCache(QuantizedCache cache, QuantizationOptions asked, IReadOnlyList<string> names) =>
        cache.Write(asked, [.. names.SelectMany(n => Encode(n).ToWrite(n, files.Tensors[n].Dtype))]);

    private QuantizedWeight Mapped(ModelFiles from, PackedWeight packed) => QuantizedWeight.Of(packed, computeType, part =>
    {
        using Tensor mapped = maps.Read(from.FileOf(part), from.Tensors[part]);
        using Tensor bytes = packed.Code != WeightCode.Int8 && part == packed.Codes ? Bytes(mapped) : mapped.alias();
        return TensorTypes.Converted(bytes, bytes.dtype, device);
    });

    /// <summary>quant_storage may name another type for the same bytes.</summary>
    private static Tensor Bytes(Tensor stored)
    {
        if (stored.dtype == ScalarType.Byte)
            return stored.alias();
        using Tensor dense = stored.contiguous();
        Tensor bytes = empty([dense.NumberOfElements * dense.ElementSize], dtype: ScalarType.Byte);
        dense.bytes.CopyTo(bytes.bytes);
        return bytes;
    }

    private PackedArrays Encode(string name)
    {
        options!.Cancellation.ThrowIfCancellationRequested(); // a large model takes minutes
        SafetensorsFile file = files.FileOf(name);
        TensorEntry entry = files.Tensors[name];
        float[] values = file.ReadFloat32(name);
        int odd = Array.FindIndex(values, v => !float.IsFinite(v));
        if (odd >= 0)
        {
            throw new DiagnosticException(
                "LB0515", string.Create(CultureInfo.InvariantCulture, $"the weight '{name}' has {values[odd]} at number {odd}, and no code stands for that: only finite weights can be quantised. Fetch the model again, or take another one"), file.Path);
        }

        PackedArrays packed = PackedArrays.Encode(options.Code, values, entry.Shape, options.BlockSize, options.HasDoubleQuantization);
        file.Forget(entry, 0, entry.ByteLength);
        return packed;
    }
}
