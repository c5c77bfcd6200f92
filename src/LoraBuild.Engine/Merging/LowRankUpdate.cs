// W + s·B·A row by row in fp32, vectorised, parallel over rows.
using System.Numerics;
using System.Runtime.InteropServices;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Merging;

/// <summary>One module's update, with its factors widened to fp32.</summary>
/// <param name="a">[r, columns], row-major.</param>
/// <param name="b">[rows, r], row-major.</param>
/// <param name="magnitude">DoRA's m, [rows]; null for plain LoRA.</param>
/// <param name="threads">Rows at once; null: as many as there are cores.</param>
internal sealed class LowRankUpdate(float[] a, float[] b, float[]? magnitude, int r, int columns, float scaling, int? threads)
{
    /// <summary>Adds s·B·A to <paramref name="rows"/> = W[firstRow …, columns]; with DoRA each row is then scaled to m / ‖row‖.</summary>
    public void Apply(Memory<float> rows, int firstRow) =>
        BoundedParallel.For(rows.Length / columns, threads, row => ApplyToRow(rows.Span.Slice(row * columns, columns), firstRow + row));

    private void ApplyToRow(Span<float> row, int index)
    {
        float[] delta = new float[columns]; // B·A is summed up before it meets W, whose values are much larger
        for (int k = 0; k < r; k++)
            AddScaled(delta, a.AsSpan(k * columns, columns), b[(index * r) + k]);
        AddScaled(row, delta, scaling);
        if (magnitude is null)
            return;
        double squares = 0;
        foreach (float value in row)
            squares += (double)value * value;
        float factor = (float)(magnitude[index] / Math.Sqrt(squares));
        for (int i = 0; i < row.Length; i++)
            row[i] *= factor;
    }

    /// <summary>y += f·x</summary>
    private static void AddScaled(Span<float> y, ReadOnlySpan<float> x, float f)
    {
        Span<Vector<float>> wideY = MemoryMarshal.Cast<float, Vector<float>>(y);
        ReadOnlySpan<Vector<float>> wideX = MemoryMarshal.Cast<float, Vector<float>>(x[..y.Length]);
        Vector<float> wideF = new(f);
        for (int i = 0; i < wideY.Length; i++)
            wideY[i] += wideF * wideX[i];
        for (int i = wideY.Length * Vector<float>.Count; i < y.Length; i++)
            y[i] += f * x[i];
    }
}
