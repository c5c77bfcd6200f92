// Reads a safetensors file through a memory map: opening checks everything, reading copies nothing.
using System.Runtime.InteropServices;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>An open, fully checked safetensors file. Spans and pointers are valid until <see cref="Dispose"/>.</summary>
public sealed class SafetensorsFile : IDisposable
{
    private readonly MappedFile file;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header)
    {
        this.file = file;
        Tensors = header.Tensors;
        Metadata = header.Metadata;
    }

    public string Path => file.Path;

    /// <summary>By name, in ordinal order.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <exception cref="DiagnosticException">LB0400 not readable; LB0401 cut off; LB0402 bad header; LB0403 inconsistent tensor.</exception>
    public static SafetensorsFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <exception cref="DiagnosticException">LB0404: the file has no such tensor.</exception>
    public TensorEntry Entry(string name) =>
        Tensors.TryGetValue(name, out TensorEntry? entry)
            ? entry
            : throw new DiagnosticException("LB0404", $"the file has no tensor '{name}'; it has {NameList.Text(Tensors.Keys)}", Path);

    /// <summary>All bytes of a tensor below 2 GB; larger ones piece by piece.</summary>
    public ReadOnlySpan<byte> GetBytes(string name)
    {
        TensorEntry entry = Entry(name);
        return file.Span(entry.FileOffset, checked((int)entry.ByteLength));
    }

    /// <summary>The bytes [offset, offset + length) of a tensor of any size.</summary>
    public ReadOnlySpan<byte> GetBytes(TensorEntry entry, long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + length, entry.ByteLength, nameof(length));
        return file.Span(entry.FileOffset + offset, length);
    }

    /// <summary>Says that the bytes [offset, offset + length) of a tensor are not needed soon, so that their memory may be taken back.</summary>
    public void Forget(TensorEntry entry, long offset, long length) => file.Forget(entry.FileOffset + offset, length);

    /// <summary>Address of a tensor's first byte, for native code that does not outlive this object.</summary>
    public nint GetPointer(string name)
    {
        TensorEntry entry = Entry(name);
        return file.Pointer(entry.FileOffset, entry.ByteLength);
    }

    /// <summary>Writes a tensor's bytes to a stream, whatever its size.</summary>
    public void CopyTo(string name, Stream destination)
    {
        TensorEntry entry = Entry(name);
        file.CopyTo(destination, entry.FileOffset, entry.ByteLength);
    }

    /// <summary>Values widened to fp32 (F64 is rounded).</summary>
    /// <exception cref="DiagnosticException">LB0405: not a floating-point tensor.</exception>
    public float[] ReadFloat32(string name)
    {
        TensorEntry entry = Entry(name);
        if (!entry.Dtype.IsFloat())
            throw WrongDtype(entry, "F32, F16, BF16 or F64");
        float[] values = GC.AllocateUninitializedArray<float>(checked((int)entry.ElementCount));
        FloatConversion.ToFloat32(entry.Dtype, GetBytes(name), values);
        return values;
    }

    /// <summary>Integer values (I64, I32, I16, I8, U8, BOOL) widened.</summary>
    /// <exception cref="DiagnosticException">LB0405: not an integer tensor.</exception>
    public long[] ReadInt64(string name)
    {
        TensorEntry entry = Entry(name);
        ReadOnlySpan<byte> bytes = GetBytes(name);
        return entry.Dtype switch
        {
            TensorDtype.I64 => MemoryMarshal.Cast<byte, long>(bytes).ToArray(),
            TensorDtype.I32 => Array.ConvertAll(MemoryMarshal.Cast<byte, int>(bytes).ToArray(), v => (long)v),
            TensorDtype.I16 => Array.ConvertAll(MemoryMarshal.Cast<byte, short>(bytes).ToArray(), v => (long)v),
            TensorDtype.I8 => Array.ConvertAll(MemoryMarshal.Cast<byte, sbyte>(bytes).ToArray(), v => (long)v),
            TensorDtype.U8 or TensorDtype.Bool => Array.ConvertAll(bytes.ToArray(), v => (long)v),
            _ => throw WrongDtype(entry, "I64, I32, I16, I8, U8 or BOOL"),
        };
    }

    public void Dispose() => file.Dispose();

    private DiagnosticException WrongDtype(TensorEntry entry, string allowed) =>
        new("LB0405", $"the tensor '{entry.Name}' is {entry.Dtype.SafetensorsName()}; needed is {allowed}", Path);
}
