// Where one tensor lies in a file.
namespace LoraBuild.Core.Formats;

/// <summary>A tensor of a file, without its values.</summary>
/// <param name="Shape">Row-major, slowest axis first; empty for a scalar.</param>
/// <param name="FileOffset">Bytes from the start of the file.</param>
/// <param name="ByteLength">Element count × element size, checked against the file.</param>
public sealed record TensorEntry(string Name, TensorDtype Dtype, long[] Shape, long FileOffset, long ByteLength)
{
    public long ElementCount => ByteLength / Dtype.ByteSize();

    public string ShapeText => TensorShapes.Text(Shape);
}

public static class TensorShapes
{
    /// <summary><c>[250, 60]</c></summary>
    public static string Text(IReadOnlyList<long> shape) => $"[{string.Join(", ", shape)}]";

    /// <summary>Product of the axes; null where it is negative or does not fit a long.</summary>
    public static long? TryCount(ReadOnlySpan<long> shape)
    {
        long count = 1;
        bool isEmpty = false;
        foreach (long axis in shape)
        {
            if (axis < 0)
                return null;
            if (axis == 0)
            {
                isEmpty = true;
                continue;
            }

            if (count > long.MaxValue / axis)
                return null;
            count *= axis;
        }

        return isEmpty ? 0 : count;
    }
}
