// Parses and validates a safetensors header. Nothing is believed before it is checked against the file's length.
using System.Text;
using System.Text.Json;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>Format: u64 header length, JSON header, tensor bytes without holes (https://github.com/huggingface/safetensors, "Format").</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The limit of Hugging Face's library.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    private readonly string path;
    private readonly long dataStart;
    private readonly long dataLength;

    private SafetensorsHeader(string path, long dataStart, long dataLength)
    {
        this.path = path;
        this.dataStart = dataStart;
        this.dataLength = dataLength;
    }

    public SortedDictionary<string, TensorEntry> Tensors { get; } = new(StringComparer.Ordinal);

    public SortedDictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    public static SafetensorsHeader Read(MappedFile file)
    {
        if (file.Length < 8)
            throw Damaged(file.Path, $"the file has {file.Length} bytes; a safetensors file starts with 8 bytes that give the header's length. It was cut off or is something else");
        ulong headerLength = BitConverter.ToUInt64(file.Span(0, 8));
        if (headerLength > (ulong)MaxHeaderBytes)
            throw Damaged(file.Path, $"the header's length is given as {headerLength} bytes; at most {MaxHeaderBytes} are allowed. This is not a safetensors file, or its start was overwritten");
        if (headerLength > (ulong)(file.Length - 8))
            throw Damaged(file.Path, $"the header's length is given as {headerLength} bytes but only {file.Length - 8} follow: the file was cut off; fetch or write it again");
        int length = (int)headerLength;
        SafetensorsHeader header = new(file.Path, 8 + length, file.Length - 8 - length);
        header.Parse(file.Span(8, length));
        header.CheckLayout();
        return header;
    }

    private void Parse(ReadOnlySpan<byte> json)
    {
        if (json.Length == 0 || json[0] != (byte)'{')
            throw new DiagnosticException("LB0402", "the header must start with {", path);
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 4 });
        try
        {
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (name == "__metadata__")
                    ReadMetadata(ref reader);
                else
                    ReadTensor(ref reader, name);
            }

            reader.Read(); // anything but white space after the object is an error
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is not valid UTF-8, or a value of another kind than asked for.
            throw new DiagnosticException("LB0402", $"the header is not the JSON that it should be, at byte {reader.TokenStartIndex + 8}: {e.Message}", path);
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (Metadata.Count > 0)
            throw new DiagnosticException("LB0402", "__metadata__ stands twice in the header", path);
        Expect(reader, JsonTokenType.StartObject, "__metadata__ must be an object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            Expect(reader, JsonTokenType.String, $"__metadata__.{key} must be a string");
            if (!Metadata.TryAdd(key, reader.GetString()!))
                throw new DiagnosticException("LB0402", $"__metadata__.{key} stands twice", path);
        }
    }

    private void ReadTensor(ref Utf8JsonReader reader, string name)
    {
        Expect(reader, JsonTokenType.StartObject, $"'{name}' must be an object with dtype, shape, data_offsets");
        string? dtypeName = null;
        List<long>? shape = null;
        List<long>? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            reader.Read();
            bool isRepeated = field switch
            {
                "dtype" => dtypeName is not null,
                "shape" => shape is not null,
                "data_offsets" => offsets is not null,
                _ => throw new DiagnosticException("LB0402", $"'{name}' has an unknown field '{field}'; allowed: dtype, shape, data_offsets", path),
            };
            if (isRepeated)
                throw new DiagnosticException("LB0402", $"'{name}' has the field '{field}' twice", path);
            if (field == "dtype")
            {
                Expect(reader, JsonTokenType.String, $"dtype of '{name}' must be a string");
                dtypeName = reader.GetString()!;
            }
            else if (field == "shape")
            {
                shape = ReadNumbers(ref reader, name, field);
            }
            else
            {
                offsets = ReadNumbers(ref reader, name, field);
            }
        }

        if (dtypeName is null || shape is null || offsets is null)
            throw new DiagnosticException("LB0402", $"'{name}' lacks one of dtype, shape, data_offsets", path);
        if (!TensorDtypes.TryParseSafetensors(dtypeName, out TensorDtype dtype))
            throw new DiagnosticException("LB0403", $"'{name}' has the dtype '{dtypeName}'; known are {string.Join(", ", Enum.GetValues<TensorDtype>().Select(d => d.SafetensorsName()))}", path);
        if (!Tensors.TryAdd(name, CheckedEntry(name, dtype, [.. shape], offsets)))
            throw new DiagnosticException("LB0402", $"the tensor '{name}' stands twice in the header", path);
    }

    private TensorEntry CheckedEntry(string name, TensorDtype dtype, long[] shape, List<long> offsets)
    {
        if (TensorShapes.TryCount(shape) is not long count || count > long.MaxValue / dtype.ByteSize())
            throw new DiagnosticException("LB0403", $"'{name}' has the impossible shape {TensorShapes.Text(shape)}", path);
        if (offsets.Count != 2 || offsets[0] < 0 || offsets[1] < offsets[0])
            throw new DiagnosticException("LB0403", $"'{name}' has data_offsets {TensorShapes.Text(offsets)}; two rising offsets are needed", path);
        if (offsets[1] > dataLength)
            throw Damaged(path, $"'{name}' ends at byte {offsets[1]} of the data but only {dataLength} are there: the file was cut off; fetch or write it again");
        if (offsets[1] - offsets[0] != count * dtype.ByteSize())
            throw new DiagnosticException("LB0403", $"'{name}' is {dtype.SafetensorsName()} {TensorShapes.Text(shape)} = {count * dtype.ByteSize()} bytes, but its offsets span {offsets[1] - offsets[0]}", path);
        return new TensorEntry(name, dtype, shape, dataStart + offsets[0], offsets[1] - offsets[0]);
    }

    /// <summary>The tensors must cover the data exactly: an overlap or a hole means that an offset is wrong.</summary>
    private void CheckLayout()
    {
        long expected = dataStart;
        foreach (TensorEntry entry in Tensors.Values.OrderBy(t => t.FileOffset).ThenBy(t => t.ByteLength))
        {
            if (entry.FileOffset != expected)
                throw new DiagnosticException("LB0403", $"'{entry.Name}' starts at byte {entry.FileOffset - dataStart} of the data but {expected - dataStart} was expected: the tensors {(entry.FileOffset < expected ? "overlap" : "leave a hole")}", path);
            expected += entry.ByteLength;
        }

        if (expected != dataStart + dataLength)
            throw Damaged(path, $"the tensors end at byte {expected} but the file has {dataStart + dataLength} bytes");
    }

    private List<long> ReadNumbers(ref Utf8JsonReader reader, string name, string field)
    {
        Expect(reader, JsonTokenType.StartArray, $"{field} of '{name}' must be an array of numbers");
        List<long> numbers = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number) || number < 0)
                throw new DiagnosticException("LB0403", $"{field} of '{name}' must hold whole numbers ≥ 0, got {Encoding.UTF8.GetString(reader.ValueSpan[..Math.Min(40, reader.ValueSpan.Length)])}", path);
            if (numbers.Count == 32)
                throw new DiagnosticException("LB0403", $"{field} of '{name}' has more than 32 numbers", path);
            numbers.Add(number);
        }

        return numbers;
    }

    private void Expect(in Utf8JsonReader reader, JsonTokenType type, string message)
    {
        if (reader.TokenType != type)
            throw new DiagnosticException("LB0402", message, path);
    }

    private static DiagnosticException Damaged(string path, string message) => new("LB0401", message, path);
}
