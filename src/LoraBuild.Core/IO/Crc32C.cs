// The checksum of TensorBoard's records and of cached weights: one instruction for eight bytes on most processors.
using System.Buffers.Binary;
using System.Numerics;

namespace LoraBuild.Core.IO;

/// <summary>CRC-32C (Castagnoli), over bytes that come in pieces of any length.</summary>
public sealed class Crc32C
{
    private uint state = uint.MaxValue;

    /// <summary>Of all bytes so far.</summary>
    public uint Value => ~state;

    public static uint Of(ReadOnlySpan<byte> data)
    {
        Crc32C crc = new();
        crc.Append(data);
        return crc.Value;
    }

    public void Append(ReadOnlySpan<byte> data)
    {
        uint crc = state;
        for (; data.Length >= 8; data = data[8..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
        foreach (byte value in data)
            crc = BitOperations.Crc32C(crc, value);
        state = crc;
    }

    /// <summary>A stream that keeps nothing of what is written to it but the checksum.</summary>
    public Stream AsStream() => new Sink(this);

    private sealed class Sink(Crc32C crc) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => crc.Append(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => crc.Append(buffer);
    }
}
