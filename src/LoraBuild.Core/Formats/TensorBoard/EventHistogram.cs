// The distribution of a few values as TensorBoard's HistogramProto.
namespace LoraBuild.Core.Formats.TensorBoard;

/// <param name="Limits">Upper bound of each bucket, ascending.</param>
/// <param name="Counts">Values in each bucket; a bucket begins where the one before ends.</param>
public sealed record EventHistogram(double Min, double Max, double Count, double Sum, double SumOfSquares, IReadOnlyList<double> Limits, IReadOnlyList<double> Counts)
{
    private const int Buckets = 30; // what TensorBoard draws

    /// <summary>Buckets of equal width between the smallest and the largest value; values that are not finite are left out.</summary>
    public static EventHistogram Of(IEnumerable<double> values)
    {
        double[] finite = [.. values.Where(double.IsFinite)];
        if (finite.Length == 0)
            return new EventHistogram(0, 0, 0, 0, 0, [0], [0]);
        (double min, double max) = (finite.Min(), finite.Max());
        double width = (max - min) / Buckets;
        double[] limits = width > 0 ? [.. Enumerable.Range(1, Buckets).Select(i => i == Buckets ? max : min + i * width)] : [max];
        double[] counts = new double[limits.Length];
        foreach (double value in finite)
            counts[width > 0 ? Math.Min(Buckets - 1, (int)((value - min) / width)) : 0]++;
        return new EventHistogram(min, max, finite.Length, finite.Sum(), finite.Sum(v => v * v), limits, counts);
    }
}
