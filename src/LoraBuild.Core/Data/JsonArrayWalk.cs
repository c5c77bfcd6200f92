// The elements of a JSON array (or the one value of a file) one after the other, with their places; what comes behind a mistake is not read.
using System.Text.Json;

namespace LoraBuild.Core.Data;

/// <param name="Line">From 1.</param>
/// <param name="Column">Bytes from 1.</param>
internal readonly record struct JsonElementPlace(int Start, int Length, int Line, int Column);

/// <param name="text">Valid UTF-8.</param>
/// <param name="begin">Behind a byte order mark.</param>
internal sealed class JsonArrayWalk(byte[] text, int begin)
{
    private JsonReaderState state = new(new JsonReaderOptions { MaxDepth = 64 });
    private int at = begin;
    private int line = 1;
    private int lineStart = begin;
    private int counted = begin;
    private bool hasBegun;
    private bool isArray;
    private bool isOver;

    public JsonException? Failure { get; private set; }

    public int FailureLine { get; private set; }

    /// <summary>Where something stands behind the end; null where nothing does.</summary>
    public int? LineOfTextBehind { get; private set; }

    public JsonElementPlace? Next()
    {
        if (isOver)
            return null;
        Utf8JsonReader reader = new(text.AsSpan(at), isFinalBlock: true, state);
        int from = at;
        try
        {
            bool isFirst = !hasBegun;
            if (isFirst)
            {
                hasBegun = true;
                reader.Read();
                isArray = reader.TokenType == JsonTokenType.StartArray;
            }

            if (isFirst && !isArray)
                return Element(ref reader, from);
            if (isArray && reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                return Element(ref reader, from);
            isOver = true;
            if (reader.Read())
                LineOfTextBehind = LineAt(from + (int)reader.TokenStartIndex);
            return null;
        }
        catch (JsonException e)
        {
            isOver = true;
            Failure = e;
            FailureLine = (int)(e.LineNumber ?? 0) + 1; // the state that the reader went on from counts lines, too
            return null;
        }
    }

    private JsonElementPlace Element(ref Utf8JsonReader reader, int from)
    {
        int start = from + (int)reader.TokenStartIndex;
        reader.Skip();
        at = from + (int)reader.BytesConsumed;
        state = reader.CurrentState;
        int number = LineAt(start);
        return new JsonElementPlace(start, at - start, number, start - lineStart + 1);
    }

    /// <summary>Positions are asked for in rising order, so each line is counted once.</summary>
    private int LineAt(int position)
    {
        for (; counted < position; counted++)
        {
            if (text[counted] != (byte)'\n')
                continue;
            line++;
            lineStart = counted + 1;
        }

        return line;
    }
}
