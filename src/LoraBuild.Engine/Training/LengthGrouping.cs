// Puts documents of like length beside each other, as transformers' LengthGroupedSampler does.
namespace LoraBuild.Engine.Training;

public static class LengthGrouping
{
    // transformers, get_length_grouped_indices: at most 50 batches a group, at least four groups.
    private const int BatchesOfGroup = 50;
    private const int LeastGroups = 4;

    /// <summary>
    /// Cuts a shuffled order into groups of up to 50 batches and sorts each by falling length, so that batches are even and the order of groups stays
    /// random. The longest document of all comes first: what does not fit into memory shows at once.
    /// </summary>
    /// <param name="order">Shuffled; changed in place.</param>
    /// <param name="lengths">By document.</param>
    /// <param name="batchSize">Documents of an optimizer step.</param>
    public static void Group(int[] order, IReadOnlyList<int> lengths, int batchSize)
    {
        if (order.Length == 0)
            return;
        int multiple = Math.Max(1, Math.Min(order.Length / (batchSize * LeastGroups), BatchesOfGroup));
        int size = multiple * batchSize;
        int longestStart = 0;
        for (int start = 0; start < order.Length; start += size)
        {
            int count = Math.Min(size, order.Length - start);
            int[] sorted = [.. order.AsSpan(start, count).ToArray().OrderByDescending(d => lengths[d])]; // stable
            sorted.CopyTo(order, start);
            if (lengths[order[start]] > lengths[order[longestStart]])
                longestStart = start;
        }

        (order[0], order[longestStart]) = (order[longestStart], order[0]);
    }
}
