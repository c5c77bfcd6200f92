// Writes GGUF version 3, one tensor at a time.
using System.Text;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats.Gguf;

/// <summary>A tensor on its way into a GGUF file.</summary>
/// <param name="Dimensions">Fastest axis first: the reverse of a row-major shape.</param>
/// <param name="WriteBytes">Writes exactly the encoded rows; called once, in file order.</param>
public sealed record GgufTensorToWrite(string Name, GgmlType Type, long[] Dimensions, Action<Stream> WriteBytes)
{
    public long ByteLength => checked(GgmlTypes.RowBytes(Type, Dimensions[0]) * Dimensions.Skip(1).Aggregate(1L, (a, b) => checked(a * b)));
}

/// <summary>Layout: magic, version, counts, keys, tensor infos, padding, then each tensor padded to the alignment, the last one too.</summary>
public static class GgufWriter
{
    public const uint DefaultAlignment = 32; // GGUF v3: 32 unless general.alignment says otherwise
    internal const string AlignmentKey = "general.alignment";

    /// <summary>Keys and tensors stand in the given order. The alignment is the value of a key <c>general.alignment</c> (uint32), else 32.</summary>
    public static void Write(string path, IReadOnlyList<GgufKey> keys, IReadOnlyList<GgufTensorToWrite> tensors) =>
        AtomicFile.Write(path, stream => WriteTo(stream, keys, tensors));

    public static void WriteTo(Stream stream, IReadOnlyList<GgufKey> keys, IReadOnlyList<GgufTensorToWrite> tensors)
    {
        long alignment = keys.FirstOrDefault(k => k.Name == AlignmentKey)?.Value is uint given ? given : DefaultAlignment;
        CountingStream counting = new(stream);
        using BinaryWriter writer = new(counting, Encoding.UTF8, leaveOpen: true);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)keys.Count);
        foreach (GgufKey key in keys)
            WriteKey(writer, key);
        long offset = 0;
        foreach (GgufTensorToWrite tensor in tensors)
        {
            WriteString(writer, tensor.Name);
            writer.Write((uint)tensor.Dimensions.Length);
            foreach (long dimension in tensor.Dimensions)
                writer.Write((ulong)dimension);
            writer.Write((uint)tensor.Type);
            writer.Write((ulong)offset);
            offset += Aligned(tensor.ByteLength, alignment);
        }

        writer.Flush();
        Pad(counting, alignment);
        foreach (GgufTensorToWrite tensor in tensors)
        {
            long start = counting.Written;
            tensor.WriteBytes(counting);
            if (counting.Written - start != tensor.ByteLength)
                throw new InvalidOperationException($"{tensor.Name}: {counting.Written - start} bytes were written, {tensor.ByteLength} belong to {tensor.Type} {TensorShapes.Text(tensor.Dimensions)}");
            Pad(counting, alignment);
        }
    }

    internal static long Aligned(long length, long alignment) => (length + alignment - 1) / alignment * alignment;

    private static void Pad(CountingStream stream, long alignment) =>
        stream.Write(new byte[Aligned(stream.Written, alignment) - stream.Written]);

    private static void WriteKey(BinaryWriter writer, GgufKey key)
    {
        WriteString(writer, key.Name);
        writer.Write((uint)key.Type);
        if (key.Type != GgufValueType.Array)
        {
            WriteValue(writer, key.Value);
            return;
        }

        Array values = (Array)key.Value;
        writer.Write((uint)key.ElementType!.Value);
        writer.Write((ulong)values.Length);
        foreach (object value in values)
            WriteValue(writer, value);
    }

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte v: writer.Write(v); break;
            case sbyte v: writer.Write(v); break;
            case ushort v: writer.Write(v); break;
            case short v: writer.Write(v); break;
            case uint v: writer.Write(v); break;
            case int v: writer.Write(v); break;
            case ulong v: writer.Write(v); break;
            case long v: writer.Write(v); break;
            case float v: writer.Write(v); break;
            case double v: writer.Write(v); break;
            case bool v: writer.Write(v); break;
            case string v: WriteString(writer, v); break;
            default: throw new ArgumentException($"a {value.GetType()} is no GGUF value", nameof(value));
        }
    }

    private static void WriteString(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }
}
