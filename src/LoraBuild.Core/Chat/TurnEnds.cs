// Whether the token that ends a turn is trained: without it the model never learns to stop.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

/// <summary>The ends of the runs of targets in one document; runs that truncation cut are not counted.</summary>
/// <param name="MaskedToken">The first end token that stands behind a run and is not a target.</param>
internal sealed record DocumentEnds(int Turns, IReadOnlyList<int> Trained, int Masked, int Missing, int? MaskedToken);

internal sealed class TurnEnds(Tokenizer tokenizer)
{
    private readonly HashSet<int> endIds = [.. tokenizer.AddedTokens.Where(t => t.Special).Select(t => t.Id), .. tokenizer.EosTokenId is int eos ? new[] { eos } : []];
    private readonly Dictionary<int, bool> blanks = [];

    public DocumentEnds Of(ReadOnlySpan<int> ids, ReadOnlySpan<int> labels, bool isCut)
    {
        List<int> trained = [];
        (int turns, int masked, int missing) = (0, 0, 0);
        int? maskedToken = null;
        for (int end = 1; end <= ids.Length; end++)
        {
            bool endsRun = labels[end - 1] != TokensFile.IgnoredLabel && (end == ids.Length || labels[end] == TokensFile.IgnoredLabel);
            if (!endsRun || (end == ids.Length && isCut))
                continue;
            turns++;
            int last = end - 1;
            while (last > 0 && labels[last] != TokensFile.IgnoredLabel && IsBlank(ids[last]))
                last--;
            int behind = end;
            while (behind < ids.Length && IsBlank(ids[behind]))
                behind++;
            if (endIds.Contains(ids[last]))
            {
                trained.Add(ids[last]);
            }
            else if (behind < ids.Length && endIds.Contains(ids[behind]))
            {
                masked++;
                maskedToken ??= ids[behind];
            }
            else
            {
                missing++;
            }
        }

        return new DocumentEnds(turns, trained, masked, missing, maskedToken);
    }

    /// <summary>Templates write a line break behind the end of a turn.</summary>
    private bool IsBlank(int id)
    {
        if (!blanks.TryGetValue(id, out bool isBlank))
            blanks[id] = isBlank = !endIds.Contains(id) && string.IsNullOrWhiteSpace(tokenizer.Decode([id]));
        return isBlank;
    }
}
