// Puts documents into rows of a given number of tokens, in order.
namespace LoraBuild.Engine.Training;

public static class RowPacking
{
    /// <summary>
    /// Next-fit: a document opens a new row when it does not fit into the current one. There is no padding, so a row that is
    /// not full costs nothing. A document longer than a row has one for itself.
    /// </summary>
    /// <param name="order">Documents in the order in which they are packed.</param>
    /// <param name="lengths">Tokens of each document.</param>
    /// <param name="rowLength">Tokens of a row.</param>
    /// <returns>The documents of each row.</returns>
    public static int[][] Pack(ReadOnlySpan<int> order, IReadOnlyList<int> lengths, int rowLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rowLength);
        List<int[]> rows = [];
        List<int> current = [];
        long used = 0;
        foreach (int document in order)
        {
            int length = lengths[document];
            if (current.Count > 0 && used + length > rowLength)
            {
                rows.Add([.. current]);
                current.Clear();
                used = 0;
            }

            current.Add(document);
            used += length;
        }

        if (current.Count > 0)
            rows.Add([.. current]);
        return [.. rows];
    }
}
