// TensorBoard's Event in protobuf's wire format: the few fields that a training run needs.
using Google.Protobuf;

namespace LoraBuild.Core.Formats.TensorBoard;

/// <summary>
/// Field numbers are those of TensorFlow's event.proto, summary.proto, tensor.proto and histogram.proto. Scalars and histograms have the old, plain form,
/// which every reader knows; a text is a string tensor with the text plugin's name, as TensorBoard's own writer makes it.
/// </summary>
public static class EventMessage
{
    private const string FileVersionText = "brain.Event:2";
    private const int StringType = 7; // DataType.DT_STRING
    private const int SessionStart = 1; // SessionLog.START

    /// <summary>What each file begins with.</summary>
    public static byte[] FileVersion(double wallTime) => Event(0, wallTime, output => WriteString(output, 3, FileVersionText));

    /// <summary>A run begins again: readers drop what they have of <paramref name="step"/> and later ones.</summary>
    public static byte[] Restart(long step, double wallTime) => Event(step, wallTime, output => WriteMessage(output, 7, log => WriteInt(log, 1, SessionStart)));

    public static byte[] Scalars(long step, double wallTime, IEnumerable<(string Tag, double Value)> scalars) => Event(step, wallTime, output => WriteMessage(output, 5, summary =>
    {
        foreach ((string tag, double value) in scalars)
        {
            WriteMessage(summary, 1, item =>
            {
                WriteString(item, 1, tag);
                item.WriteTag(2, WireFormat.WireType.Fixed32);
                item.WriteFloat((float)value);
            });
        }
    }));

    public static byte[] Histogram(long step, double wallTime, string tag, EventHistogram histogram) => Event(step, wallTime, output => WriteMessage(output, 5, summary => WriteMessage(summary, 1, item =>
    {
        WriteString(item, 1, tag);
        WriteMessage(item, 5, proto =>
        {
            WriteDouble(proto, 1, histogram.Min);
            WriteDouble(proto, 2, histogram.Max);
            WriteDouble(proto, 3, histogram.Count);
            WriteDouble(proto, 4, histogram.Sum);
            WriteDouble(proto, 5, histogram.SumOfSquares);
            WritePacked(proto, 6, histogram.Limits);
            WritePacked(proto, 7, histogram.Counts);
        });
    })));

    /// <param name="markdown">What the text dashboard shows.</param>
    public static byte[] Text(long step, double wallTime, string tag, string markdown) => Event(step, wallTime, output => WriteMessage(output, 5, summary => WriteMessage(summary, 1, item =>
    {
        WriteString(item, 1, tag);
        WriteMessage(item, 8, tensor =>
        {
            WriteInt(tensor, 1, StringType);
            WriteMessage(tensor, 2, shape => WriteMessage(shape, 2, dimension => WriteInt(dimension, 1, 1)));
            WriteString(tensor, 8, markdown);
        });
        WriteMessage(item, 9, metadata => WriteMessage(metadata, 1, plugin => WriteString(plugin, 1, "text")));
    })));

    /// <summary>The step of an event, and the tag of its first value (null: it has none).</summary>
    public static (long Step, string? Tag) Describe(byte[] data)
    {
        long step = 0;
        string? tag = null;
        CodedInputStream input = new(data);
        uint key;
        while ((key = input.ReadTag()) != 0)
        {
            switch (WireFormat.GetTagFieldNumber(key))
            {
                case 2:
                    step = input.ReadInt64();
                    break;
                case 5:
                    tag ??= FirstTag(input.ReadBytes().CreateCodedInput());
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        return (step, tag);
    }

    private static string? FirstTag(CodedInputStream summary)
    {
        if (summary.ReadTag() == 0)
            return null;
        CodedInputStream value = summary.ReadBytes().CreateCodedInput();
        uint key;
        while ((key = value.ReadTag()) != 0)
        {
            if (WireFormat.GetTagFieldNumber(key) == 1)
                return value.ReadString();
            value.SkipLastField();
        }

        return null;
    }

    private static byte[] Event(long step, double wallTime, Action<CodedOutputStream> what) => Bytes(output =>
    {
        WriteDouble(output, 1, wallTime);
        if (step != 0)
            WriteInt(output, 2, step);
        what(output);
    });

    private static byte[] Bytes(Action<CodedOutputStream> write)
    {
        using MemoryStream memory = new();
        using CodedOutputStream output = new(memory);
        write(output);
        output.Flush();
        return memory.ToArray();
    }

    private static void WriteMessage(CodedOutputStream output, int field, Action<CodedOutputStream> write)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(Bytes(write)));
    }

    private static void WriteString(CodedOutputStream output, int field, string value)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteString(value);
    }

    private static void WriteInt(CodedOutputStream output, int field, long value)
    {
        output.WriteTag(field, WireFormat.WireType.Varint);
        output.WriteInt64(value);
    }

    private static void WriteDouble(CodedOutputStream output, int field, double value)
    {
        output.WriteTag(field, WireFormat.WireType.Fixed64);
        output.WriteDouble(value);
    }

    private static void WritePacked(CodedOutputStream output, int field, IReadOnlyList<double> values)
    {
        output.WriteTag(field, WireFormat.WireType.LengthDelimited);
        output.WriteLength(values.Count * sizeof(double));
        foreach (double value in values)
            output.WriteDouble(value);
    }
}
