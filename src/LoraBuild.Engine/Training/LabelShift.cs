// The one place where labels are shifted: the token at t predicts the label at t + 1 of the same document.
namespace LoraBuild.Engine.Training;

public static class LabelShift
{
    /// <summary>Marks a token that is no target.</summary>
    public const int Ignored = -100;

    /// <summary>
    /// Appends the places that have a target. A label in column 0 never counts: nothing comes before it, least of all another document.
    /// </summary>
    /// <param name="labels">Labels of one document, aligned with its tokens (not shifted).</param>
    /// <param name="start">Place of the document's first token among the packed tokens.</param>
    /// <param name="positions">Receives the packed place of each token that predicts a target.</param>
    /// <param name="targets">Receives the target's token id, one for each position.</param>
    public static void Append(ReadOnlySpan<int> labels, long start, List<long> positions, List<long> targets)
    {
        for (int t = 0; t + 1 < labels.Length; t++)
        {
            if (labels[t + 1] == Ignored)
                continue;
            positions.Add(start + t);
            targets.Add(labels[t + 1]);
        }
    }
}
