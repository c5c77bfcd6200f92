// The best ways to write every beginning of a word, for Unigram's search.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>Buffers are kept between words; one thread at a time.</summary>
internal sealed class UnigramLattice
{
    private readonly List<(int Start, int End, int Id)> path = [];

    // For the first i units: the best score, where the last piece begins (−1: not reached), and that piece's id.
    private double[] best = new double[64];
    private int[] from = new int[64];
    private int[] ids = new int[64];

    public void Start(int length)
    {
        if (best.Length <= length)
        {
            int size = Math.Max(best.Length * 2, length + 1);
            best = new double[size];
            from = new int[size];
            ids = new int[size];
        }

        from.AsSpan(0, length + 1).Fill(-1);
        from[0] = 0;
        best[0] = 0;
    }

    /// <summary>Of pieces with equal sums the one that is offered first stays.</summary>
    public void Offer(int start, int end, int id, double score)
    {
        double total = best[start] + score;
        if (from[end] >= 0 && total <= best[end])
            return;
        best[end] = total;
        from[end] = start;
        ids[end] = id;
    }

    /// <summary>The pieces of the best way in order; neighbouring unknown characters are one piece.</summary>
    public List<(int Start, int End, int Id)> BestPath(int length, int unknownId)
    {
        path.Clear();
        for (int end = length; end > 0; end = from[end])
        {
            if (ids[end] == unknownId && path.Count > 0 && path[^1].Id == unknownId)
                path[^1] = (from[end], path[^1].End, unknownId);
            else
                path.Add((from[end], end, ids[end]));
        }

        path.Reverse();
        return path;
    }
}
