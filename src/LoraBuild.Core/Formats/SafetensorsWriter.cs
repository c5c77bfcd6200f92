// Writes safetensors files byte for byte as Hugging Face's library does, one tensor at a time.
using System.Globalization;
using System.Text;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats;

/// <summary>Layout: <c>__metadata__</c> first when given; tensors by falling alignment of their dtype, then by name; the header padded with spaces to a multiple of 8.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes all tensors; the file appears under its name only when it is complete.</summary>
    /// <exception cref="InvalidOperationException">A tensor wrote another number of bytes than its shape says, or a name is given twice.</exception>
    public static void Write(string path, IReadOnlyList<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, stream => WriteTo(stream, tensors, metadata));

    /// <summary>Writes to a stream from its current position.</summary>
    public static void WriteTo(Stream stream, IReadOnlyList<TensorToWrite> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        List<TensorToWrite> ordered = InFileOrder(tensors);
        stream.Write(Header(ordered, metadata));
        foreach (TensorToWrite tensor in ordered)
        {
            using CountingStream counting = new(stream);
            tensor.WriteBytes(counting);
            if (counting.Written != tensor.ByteLength)
                throw new InvalidOperationException($"{tensor.Name}: {counting.Written} bytes were written, {tensor.ByteLength} belong to {tensor.Dtype} {TensorShapes.Text(tensor.Shape)}");
        }
    }

    private static List<TensorToWrite> InFileOrder(IReadOnlyList<TensorToWrite> tensors)
    {
        List<(byte[] Key, TensorToWrite Tensor)> keyed = [.. tensors.Select(t => (Encoding.UTF8.GetBytes(t.Name), t))];
        keyed.Sort((a, b) =>
        {
            int byDtype = b.Tensor.Dtype.LayoutRank().CompareTo(a.Tensor.Dtype.LayoutRank());
            return byDtype != 0 ? byDtype : a.Key.AsSpan().SequenceCompareTo(b.Key);
        });
        HashSet<string> names = [];
        foreach ((_, TensorToWrite tensor) in keyed)
        {
            if (!names.Add(tensor.Name) || tensor.Name == "__metadata__")
                throw new InvalidOperationException($"the tensor name '{tensor.Name}' is reserved or given twice");
        }

        return [.. keyed.Select(k => k.Tensor)];
    }

    private static byte[] Header(List<TensorToWrite> ordered, IReadOnlyDictionary<string, string>? metadata)
    {
        StringBuilder json = new("{");
        if (metadata is not null)
        {
            json.Append("\"__metadata__\":{");
            string separator = "";
            foreach ((string key, string value) in metadata.OrderBy(p => p.Key, StringComparer.Ordinal))
            {
                json.Append(separator);
                AppendString(json, key);
                json.Append(':');
                AppendString(json, value);
                separator = ",";
            }

            json.Append('}');
        }

        long offset = 0;
        foreach (TensorToWrite tensor in ordered)
        {
            if (json.Length > 1)
                json.Append(',');
            AppendString(json, tensor.Name);
            json.Append(CultureInfo.InvariantCulture, $":{{\"dtype\":\"{tensor.Dtype.SafetensorsName()}\",\"shape\":[{string.Join(',', tensor.Shape)}],\"data_offsets\":[{offset},{offset + tensor.ByteLength}]}}");
            offset += tensor.ByteLength;
        }

        byte[] text = Encoding.UTF8.GetBytes(json.Append('}').ToString());
        int padded = (text.Length + 7) / 8 * 8;
        byte[] header = new byte[8 + padded];
        BitConverter.TryWriteBytes(header, (ulong)padded);
        text.CopyTo(header, 8);
        header.AsSpan(8 + text.Length).Fill((byte)' ');
        return header;
    }

    /// <summary>Escapes only what JSON demands, as the Rust library does.</summary>
    private static void AppendString(StringBuilder json, string value)
    {
        json.Append('"');
        foreach (char c in value)
        {
            _ = c switch
            {
                '"' => json.Append("\\\""),
                '\\' => json.Append("\\\\"),
                '\n' => json.Append("\\n"),
                '\r' => json.Append("\\r"),
                '\t' => json.Append("\\t"),
                '\b' => json.Append("\\b"),
                '\f' => json.Append("\\f"),
                < ' ' => json.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => json.Append(c),
            };
        }

        json.Append('"');
    }
}
