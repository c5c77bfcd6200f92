// Reads the wire format of protocol buffers, field by field.
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace LoraBuild.Core.Tokenizers.SentencePiece;

/// <summary>
/// A dozen fields of one fixed format do not need a generated parser. Source: protobuf.dev, "Encoding". Lengths are checked against what is left, so that a damaged file
/// ends in an exception and not in an allocation.
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> bytes, int origin = 0)
{
    private readonly ReadOnlySpan<byte> bytes = bytes;
    private readonly int origin = origin;
    private int position;
    private ReadOnlySpan<byte> content;
    private ulong number;
    private int contentStart;

    /// <summary>The field that was read last.</summary>
    public int Field { get; private set; }

    public readonly long Integer => (long)number;

    public readonly bool Boolean => number != 0;

    public readonly float Single => BitConverter.UInt32BitsToSingle((uint)number);

    public readonly ReadOnlySpan<byte> Bytes => content;

    /// <exception cref="FormatException">The text is not UTF-8.</exception>
    public readonly string Text => System.Text.Unicode.Utf8.IsValid(content)
        ? System.Text.Encoding.UTF8.GetString(content)
        : throw new FormatException($"the text at byte {origin + contentStart} is not UTF-8");

    public readonly ProtobufReader Message => new(content, origin + contentStart);

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="FormatException">The bytes are not a message.</exception>
    public bool Next()
    {
        if (position == bytes.Length)
            return false;
        int start = position;
        ulong key = Varint();
        Field = (int)Math.Min(key >> 3, int.MaxValue);
        content = [];
        number = 0;
        switch (key & 7)
        {
            case 0:
                number = Varint();
                break;
            case 1:
                number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                ulong length = Varint();
                contentStart = position;
                content = Take(length);
                break;
            case 5:
                number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                Fail(start);
                break;
        }

        if (Field == 0)
            Fail(start);
        return true;
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)(bytes.Length - position))
            Fail(position);
        ReadOnlySpan<byte> taken = bytes.Slice(position, (int)length);
        position += (int)length;
        return taken;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            byte b = Take(1)[0];
            value |= shift < 64 ? (ulong)(b & 0x7F) << shift : 0;
            if (b < 0x80)
                return value;
        }

        Fail(position);
        return 0;
    }

    [DoesNotReturn]
    private readonly void Fail(int at) => throw new FormatException($"it is not a protocol buffer, or cut off, at byte {origin + at}");
}
