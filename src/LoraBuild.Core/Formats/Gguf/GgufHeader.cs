// Parses and validates a GGUF header. A count is believed only when the file is long enough for it.
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats.Gguf;

internal sealed class GgufHeader
{
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>More than any model's vocabulary and template need; a header that asks for more lies, however long the file is.</summary>
    private const long MetadataBudget = 1 << 26;
    private const long LongestString = 1 << 24;
    private const int MostTensors = 1 << 20;

    private readonly MappedFile file;
    private long position;
    private long metadataBytes;

    private GgufHeader(MappedFile file) => this.file = file;

    public uint Version { get; private set; }

    public uint Alignment { get; private set; } = GgufWriter.DefaultAlignment;

    public List<GgufKey> Keys { get; } = [];

    public List<GgufTensor> Tensors { get; } = [];

    private long Remaining => file.Length - position;

    public static GgufHeader Read(MappedFile file)
    {
        GgufHeader header = new(file);
        if (file.Length < 24 || !file.Span(0, 4).SequenceEqual("GGUF"u8))
            throw header.Damaged("it does not start with the letters GGUF and a header: it was cut off or is something else");
        header.position = 4;
        header.Version = header.UInt32("version");
        if (BinaryPrimitives.ReverseEndianness(header.Version) is 2 or 3)
            throw header.Unsupported("the file is big-endian; only little-endian files are read");
        if (header.Version is not (2 or 3))
            throw header.Unsupported($"GGUF version {header.Version}; known are 2 and 3");
        ulong tensorCount = header.UInt64("tensor count");
        ulong keyCount = header.UInt64("key count");
        header.CheckCount(tensorCount, 32, "tensors"); // shortest tensor info: empty name, one dimension
        header.CheckCount(keyCount, 13, "keys");
        if (tensorCount > MostTensors)
            throw header.Damaged($"it claims {tensorCount} tensors; no model has more than {MostTensors}");
        header.ReadKeys((int)keyCount);
        header.ReadTensors((int)tensorCount);
        return header;
    }

    private void ReadKeys(int count)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        for (int i = 0; i < count; i++)
        {
            string name = String($"name of key {i}");
            if (!names.Add(name))
                throw Damaged($"the key '{name}' stands twice");
            GgufValueType type = ValueType(name);
            if (type == GgufValueType.Array)
            {
                GgufValueType elementType = ValueType(name);
                Keys.Add(new GgufKey(name, type, Values(name, elementType), elementType));
            }
            else
            {
                Keys.Add(new GgufKey(name, type, Values(name, type, 1).GetValue(0)!));
            }
        }

        if (Keys.Find(k => k.Name == GgufWriter.AlignmentKey) is GgufKey key)
        {
            if (key.Value is not uint alignment || alignment == 0 || alignment > 1 << 20 || alignment % 8 != 0)
                throw Damaged($"general.alignment is {key.Value}; a uint32 multiple of 8 is needed");
            Alignment = alignment;
        }
    }

    private void ReadTensors(int count)
    {
        HashSet<string> names = new(StringComparer.Ordinal);
        long expectedOffset = 0;
        for (int i = 0; i < count; i++)
        {
            string name = String($"name of tensor {i}");
            if (!names.Add(name))
                throw Damaged($"the tensor '{name}' stands twice");
            uint axes = UInt32(name);
            if (axes is 0 or > 4)
                throw Damaged($"'{name}' has {axes} dimensions; 1 to 4 are allowed");
            long[] dimensions = new long[axes];
            for (int axis = 0; axis < axes; axis++)
            {
                ulong dimension = UInt64(name);
                dimensions[axis] = dimension is > 0 and <= long.MaxValue ? (long)dimension : throw Damaged($"'{name}' has a dimension of {dimension}");
            }

            uint number = UInt32(name);
            ulong offset = UInt64(name);
            long bytes = ByteLength(name, (GgmlType)number, dimensions);
            if (offset != (ulong)expectedOffset)
                throw Damaged($"'{name}' starts at byte {offset} of the data but {expectedOffset} was expected: the tensors overlap or leave a hole");
            Tensors.Add(new GgufTensor(name, (GgmlType)number, dimensions, expectedOffset, bytes));
            if (bytes > file.Length - expectedOffset)
                throw Damaged($"'{name}' has {bytes} bytes but the file only {file.Length}: it was cut off");
            expectedOffset = GgufWriter.Aligned(expectedOffset + bytes, Alignment);
        }

        long dataStart = GgufWriter.Aligned(position, Alignment);
        for (int i = 0; i < Tensors.Count; i++)
        {
            Tensors[i] = Tensors[i] with { FileOffset = Tensors[i].FileOffset + dataStart };
            if (Tensors[i].FileOffset + Tensors[i].ByteLength > file.Length)
                throw Damaged($"'{Tensors[i].Name}' ends at byte {Tensors[i].FileOffset + Tensors[i].ByteLength} but the file has {file.Length}: it was cut off");
        }
    }

    private long ByteLength(string name, GgmlType type, long[] dimensions)
    {
        if (GgmlTypes.Block(type) is not (int elements, int bytes))
            throw Unsupported($"'{name}' has the tensor type {(uint)type}, which is not known");
        if (TensorShapes.TryCount(dimensions) is not long count || dimensions[0] % elements != 0 || count / elements > long.MaxValue / bytes)
            throw Damaged($"'{name}' has the dimensions {TensorShapes.Text(dimensions)}, impossible for {type} with blocks of {elements}");
        return count / elements * bytes;
    }

    private Array Values(string name, GgufValueType elementType)
    {
        ulong count = UInt64(name);
        CheckCount(count, GgufKey.SizeOf(elementType) ?? 8, $"elements of '{name}'");
        Spend((long)count * (GgufKey.SizeOf(elementType) ?? 8), name);
        return Values(name, elementType, (int)count);
    }

    private Array Values(string name, GgufValueType type, int count)
    {
        switch (type)
        {
            case GgufValueType.UInt8: return Fixed<byte>(name, count);
            case GgufValueType.Int8: return Fixed<sbyte>(name, count);
            case GgufValueType.UInt16: return Fixed<ushort>(name, count);
            case GgufValueType.Int16: return Fixed<short>(name, count);
            case GgufValueType.UInt32: return Fixed<uint>(name, count);
            case GgufValueType.Int32: return Fixed<int>(name, count);
            case GgufValueType.UInt64: return Fixed<ulong>(name, count);
            case GgufValueType.Int64: return Fixed<long>(name, count);
            case GgufValueType.Float32: return Fixed<float>(name, count);
            case GgufValueType.Float64: return Fixed<double>(name, count);
            case GgufValueType.Bool:
                byte[] flags = Fixed<byte>(name, count);
                return Array.TrueForAll(flags, f => f <= 1) ? Array.ConvertAll(flags, f => f == 1) : throw Damaged($"'{name}' holds a bool that is neither 0 nor 1");
            case GgufValueType.String:
                string[] texts = new string[count];
                for (int i = 0; i < count; i++)
                    texts[i] = String(name);
                return texts;
            default:
                throw Unsupported($"'{name}' is an array of arrays");
        }
    }

    private T[] Fixed<T>(string name, int count)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = Bytes(checked(count * Marshal.SizeOf<T>()), name);
        T[] values = new T[count];
        bytes.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private GgufValueType ValueType(string name)
    {
        uint number = UInt32(name);
        return number <= (uint)GgufValueType.Float64 ? (GgufValueType)number : throw Unsupported($"'{name}' has the value type {number}, which is not known");
    }

    private string String(string what)
    {
        ulong length = UInt64(what);
        if (length > (ulong)Remaining || length > int.MaxValue)
            throw Damaged($"{what}: a string of {length} bytes, but only {Remaining} follow");
        if (length > LongestString)
            throw Damaged($"{what}: a string of {length} bytes; the longest that is read has {LongestString}");
        Spend((long)length, what);
        try
        {
            return StrictUtf8.GetString(Bytes((int)length, what));
        }
        catch (DecoderFallbackException)
        {
            throw Damaged($"{what}: a string that is not UTF-8, at byte {position - (long)length}");
        }
    }

    private uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4, what));

    private ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8, what));

    private ReadOnlySpan<byte> Bytes(int length, string what)
    {
        if (length > Remaining)
            throw Damaged($"the file ends at byte {file.Length}, in the middle of '{what}': it was cut off");
        ReadOnlySpan<byte> bytes = file.Span(position, length);
        position += length;
        return bytes;
    }

    private void CheckCount(ulong count, int leastBytes, string what)
    {
        if (count > (ulong)(Remaining / leastBytes))
            throw Damaged($"it claims {count} {what}, for which its {file.Length} bytes are too few");
    }

    private void Spend(long bytes, string what)
    {
        metadataBytes += bytes;
        if (metadataBytes > MetadataBudget)
            throw Damaged($"'{what}' brings the metadata to {metadataBytes} bytes; {MetadataBudget} are more than any model needs");
    }

    private DiagnosticException Damaged(string message) => new("LB0440", $"the GGUF file is damaged: {message}", file.Path);

    private DiagnosticException Unsupported(string message) => new("LB0441", $"the GGUF file is not supported: {message}", file.Path);
}
