// Reads TensorBoard event files without anything that writes them: framing, both CRCs bit by bit, and protobuf's wire format by hand.
using System.Buffers.Binary;
using System.Text;

namespace LoraBuild.Tests.Shared;

/// <param name="Scalar">simple_value.</param>
/// <param name="Text">The string of a tensor whose plugin is "text".</param>
/// <param name="Histogram">min, max, count, sum, sum of squares; then limits and counts.</param>
internal sealed record ReadEvent(double WallTime, long Step, string? FileVersion, bool IsRestart, string? Tag, float? Scalar, string? Text, (double[] Figures, double[] Limits, double[] Counts)? Histogram);

internal static class EventFileReader
{
    /// <summary>One entry a value; an event without values has one entry without a tag. Throws where a CRC is wrong or a record is cut off.</summary>
    public static IReadOnlyList<ReadEvent> Read(string file)
    {
        ReadOnlySpan<byte> rest = File.ReadAllBytes(file);
        List<ReadEvent> events = [];
        while (rest.Length > 0)
        {
            int length = checked((int)BinaryPrimitives.ReadUInt64LittleEndian(rest));
            CheckCrc(rest[..8], rest.Slice(8, 4), "length");
            ReadOnlySpan<byte> data = rest.Slice(12, length);
            CheckCrc(data, rest.Slice(12 + length, 4), "data");
            events.AddRange(Event(data.ToArray()));
            rest = rest[(16 + length)..];
        }

        return events;
    }

    /// <summary>All files of a directory in the order of their names, as TensorBoard reads them.</summary>
    public static IReadOnlyList<ReadEvent> ReadAll(string directory) =>
        [.. Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal).SelectMany(Read)];

    private static void CheckCrc(ReadOnlySpan<byte> data, ReadOnlySpan<byte> stored, string what)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0); // Castagnoli, reflected
        }

        crc = ~crc;
        uint masked = unchecked(((crc >> 15) | (crc << 17)) + 0xA282EAD8u);
        if (masked != BinaryPrimitives.ReadUInt32LittleEndian(stored))
            throw new InvalidDataException($"the CRC of the {what} is wrong");
    }

    private static IEnumerable<ReadEvent> Event(byte[] data)
    {
        List<(int Field, ulong Number, byte[] Bytes)> fields = Fields(data);
        double time = BitConverter.UInt64BitsToDouble(fields.Single(f => f.Field == 1).Number);
        long step = (long)fields.SingleOrDefault(f => f.Field == 2).Number;
        string? version = fields.Where(f => f.Field == 3).Select(f => Encoding.UTF8.GetString(f.Bytes)).SingleOrDefault();
        bool isRestart = fields.Where(f => f.Field == 7).Any(f => Fields(f.Bytes).Single(l => l.Field == 1).Number == 1);
        List<byte[]> values = [.. fields.Where(f => f.Field == 5).SelectMany(f => Fields(f.Bytes)).Select(v => v.Bytes)];
        if (values.Count == 0)
            return [new ReadEvent(time, step, version, isRestart, null, null, null, null)];
        return values.Select(v => Value(Fields(v), time, step));
    }

    private static ReadEvent Value(List<(int Field, ulong Number, byte[] Bytes)> fields, double time, long step)
    {
        ReadEvent read = new(time, step, null, false, Encoding.UTF8.GetString(fields.Single(f => f.Field == 1).Bytes), null, null, null);
        foreach ((int field, ulong number, byte[] bytes) in fields)
        {
            switch (field)
            {
                case 2:
                    read = read with { Scalar = BitConverter.UInt32BitsToSingle((uint)number) };
                    break;
                case 5:
                    List<(int Field, ulong Number, byte[] Bytes)> histogram = Fields(bytes);
                    double[] figures = [.. Enumerable.Range(1, 5).Select(n => BitConverter.UInt64BitsToDouble(histogram.Single(f => f.Field == n).Number))];
                    read = read with { Histogram = (figures, Doubles(histogram.Single(f => f.Field == 6).Bytes), Doubles(histogram.Single(f => f.Field == 7).Bytes)) };
                    break;
                case 8:
                    List<(int Field, ulong Number, byte[] Bytes)> tensor = Fields(bytes);
                    if (tensor.Single(f => f.Field == 1).Number != 7)
                        throw new InvalidDataException("the tensor holds no strings");
                    read = read with { Text = Encoding.UTF8.GetString(tensor.Single(f => f.Field == 8).Bytes) };
                    break;
                case 9:
                    byte[] plugin = Fields(Fields(bytes).Single(f => f.Field == 1).Bytes).Single(f => f.Field == 1).Bytes;
                    if (Encoding.UTF8.GetString(plugin) != "text")
                        throw new InvalidDataException("another plugin than text");
                    break;
            }
        }

        return read;
    }

    private static List<(int Field, ulong Number, byte[] Bytes)> Fields(byte[] data)
    {
        List<(int, ulong, byte[])> fields = [];
        int at = 0;
        while (at < data.Length)
        {
            ulong key = Varint(data, ref at);
            int field = (int)(key >> 3);
            switch (key & 7)
            {
                case 0:
                    fields.Add((field, Varint(data, ref at), []));
                    break;
                case 1:
                    fields.Add((field, BitConverter.ToUInt64(data, at), []));
                    at += 8;
                    break;
                case 2:
                    int length = (int)Varint(data, ref at);
                    fields.Add((field, 0, data[at..(at + length)]));
                    at += length;
                    break;
                case 5:
                    fields.Add((field, BitConverter.ToUInt32(data, at), []));
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"wire type {key & 7}");
            }
        }

        return fields;
    }

    private static ulong Varint(byte[] data, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = data[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }

    private static double[] Doubles(byte[] data) => [.. Enumerable.Range(0, data.Length / 8).Select(i => BitConverter.ToDouble(data, 8 * i))];
}
