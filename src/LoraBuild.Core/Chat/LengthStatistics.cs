// Lengths in tokens as people look at them: percentiles and a histogram with doubling edges.
using System.Globalization;

namespace LoraBuild.Core.Chat;

internal static class LengthStatistics
{
    private const int FirstEdge = 16;

    public static LengthAudit Of(IReadOnlyList<int> lengths)
    {
        if (lengths.Count == 0)
            return new LengthAudit(0, 0, 0, 0, 0, 0, new Dictionary<string, int>());
        int[] sorted = [.. lengths];
        Array.Sort(sorted);
        return new LengthAudit(sorted[0], Percentile(sorted, 50), Percentile(sorted, 90), Percentile(sorted, 99), sorted[^1], Math.Round(sorted.Average(), 1), Histogram(sorted));
    }

    /// <summary>Nearest rank: the smallest length that this percentage of the documents does not exceed.</summary>
    private static int Percentile(int[] sorted, int percent) => sorted[(int)((((long)sorted.Length * percent) + 99) / 100) - 1];

    private static OrderedDictionary<string, int> Histogram(int[] sorted)
    {
        OrderedDictionary<string, int> histogram = [];
        long edge = FirstEdge;
        foreach (int length in sorted)
        {
            while (edge < length)
                edge *= 2;
            string key = "≤" + edge.ToString(CultureInfo.InvariantCulture);
            histogram[key] = histogram.GetValueOrDefault(key) + 1;
        }

        return histogram;
    }
}
