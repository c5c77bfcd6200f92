// Reads a GGUF file through a memory map: opening checks everything, tensors are decoded when asked for.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats.Gguf;

/// <param name="Dimensions">Fastest axis first.</param>
/// <param name="FileOffset">Bytes from the start of the file.</param>
public sealed record GgufTensor(string Name, GgmlType Type, long[] Dimensions, long FileOffset, long ByteLength)
{
    public long ElementCount => TensorShapes.TryCount(Dimensions) ?? 0;
}

/// <summary>An open, fully checked GGUF file.</summary>
public sealed class GgufFile : IDisposable
{
    private readonly MappedFile file;
    private readonly Dictionary<string, GgufTensor> tensorOfName;

    private GgufFile(MappedFile file, GgufHeader header)
    {
        this.file = file;
        Version = header.Version;
        Alignment = header.Alignment;
        Keys = header.Keys;
        Tensors = header.Tensors;
        tensorOfName = header.Tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
    }

    public string Path => file.Path;

    public uint Version { get; }

    public uint Alignment { get; }

    /// <summary>In file order.</summary>
    public IReadOnlyList<GgufKey> Keys { get; }

    /// <summary>In file order.</summary>
    public IReadOnlyList<GgufTensor> Tensors { get; }

    /// <exception cref="DiagnosticException">LB0400 not readable; LB0440 damaged; LB0441 a version, byte order or type that is not known.</exception>
    public static GgufFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return new GgufFile(file, GgufHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The value of a key, or null.</summary>
    public object? Value(string key) => Keys.FirstOrDefault(k => k.Name == key)?.Value;

    /// <exception cref="DiagnosticException">LB0404: the file has no such tensor.</exception>
    public GgufTensor Tensor(string name) =>
        tensorOfName.TryGetValue(name, out GgufTensor? tensor)
            ? tensor
            : throw new DiagnosticException("LB0404", $"the file has no tensor '{name}'; it has {NameList.Text(tensorOfName.Keys.Order(StringComparer.Ordinal))}", Path);

    /// <summary>The encoded bytes [offset, offset + length) of a tensor.</summary>
    public ReadOnlySpan<byte> GetBytes(GgufTensor tensor, long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + length, tensor.ByteLength, nameof(length));
        return file.Span(tensor.FileOffset + offset, length);
    }

    /// <summary>Values decoded to fp32, row-major (slowest axis first).</summary>
    /// <exception cref="DiagnosticException">LB0441: a type that cannot be decoded here.</exception>
    public float[] ReadFloat32(string name)
    {
        GgufTensor tensor = Tensor(name);
        if (!GgmlTypes.Encodable.Contains(tensor.Type))
            throw new DiagnosticException("LB0441", $"'{name}' is {tensor.Type}; decoded are {string.Join(", ", GgmlTypes.Encodable)}", Path);
        float[] values = GC.AllocateUninitializedArray<float>(checked((int)tensor.ElementCount));
        GgmlBlocks.Decode(tensor.Type, GetBytes(tensor, 0, checked((int)tensor.ByteLength)), values);
        return values;
    }

    public void Dispose() => file.Dispose();
}
