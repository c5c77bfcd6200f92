// The largest size that fits, by trying: doubling, then backing off.
namespace LoraBuild.Engine.Training.Memory;

internal static class BatchSizeSearch
{
    private const int StepsBack = 2; // the answer is at least four fifths of what fits

    /// <param name="smallest">Where it begins.</param>
    /// <param name="largest">Never more than this.</param>
    /// <param name="fits">Tries a size for real; a larger one never fits where a smaller one does not.</param>
    /// <returns>The largest size tried that fits, and the smallest tried that does not; null: none fits, or all do.</returns>
    public static (int? Fits, int? TooLarge) Find(int smallest, int largest, Func<int, bool> fits)
    {
        if (!fits(smallest))
            return (null, smallest);
        int good = smallest;
        int? bad = null;
        while (good < largest && bad is null)
        {
            int next = (int)Math.Min(2L * good, largest);
            if (fits(next))
                good = next;
            else
                bad = next;
        }

        for (int i = 0; i < StepsBack && bad is int tooLarge && tooLarge - good > 1; i++)
        {
            int middle = good + ((tooLarge - good) / 2);
            if (fits(middle))
                good = middle;
            else
                bad = middle;
        }

        return (good, bad);
    }
}
