// TFRecord, the framing of event files: length, CRC of the length, data, CRC of the data; all little-endian.
using System.Buffers.Binary;
using System.Numerics;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats.TensorBoard;

/// <summary>A record is <c>uint64 length, uint32 crc(length), bytes, uint32 crc(bytes)</c>, each CRC a masked CRC-32C (TensorFlow's record_writer).</summary>
public static class TfRecords
{
    private const int HeaderBytes = 12; // length and its CRC
    private const int FooterBytes = 4;
    private const uint MaskDelta = 0xA282EAD8; // TensorFlow's crc32c.h

    public static void Write(Stream stream, ReadOnlySpan<byte> data)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], MaskedCrc(header[..8]));
        Span<byte> footer = stackalloc byte[FooterBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(footer, MaskedCrc(data));
        stream.Write(header);
        stream.Write(data);
        stream.Write(footer);
    }

    /// <summary>The records from the start up to the first one that is cut off or damaged: what a kill left behind ends there.</summary>
    public static IReadOnlyList<byte[]> ReadWhole(ReadOnlySpan<byte> file)
    {
        List<byte[]> records = [];
        while (file.Length >= HeaderBytes + FooterBytes)
        {
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file);
            if (BinaryPrimitives.ReadUInt32LittleEndian(file[8..]) != MaskedCrc(file[..8]) || length > (ulong)(file.Length - HeaderBytes - FooterBytes))
                break;
            ReadOnlySpan<byte> data = file.Slice(HeaderBytes, (int)length);
            if (BinaryPrimitives.ReadUInt32LittleEndian(file[(HeaderBytes + (int)length)..]) != MaskedCrc(data))
                break;
            records.Add(data.ToArray());
            file = file[(HeaderBytes + (int)length + FooterBytes)..];
        }

        return records;
    }

    /// <summary>CRC-32C (Castagnoli), rotated and shifted so that a CRC over data that hold CRCs stays a good one.</summary>
    public static uint MaskedCrc(ReadOnlySpan<byte> data)
    {
        return BitOperations.RotateRight(Crc32C.Of(data), 15) + MaskDelta;
    }
}
