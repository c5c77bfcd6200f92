// The documents of one forward pass, without padding, and where their targets stand.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

public sealed class MicroBatch
{
    private readonly ReadOnlyMemory<int>[] inputIds;

    private MicroBatch(ReadOnlyMemory<int>[] inputIds, int tokenCount, long[] targetPositions, long[] targetIds)
    {
        this.inputIds = inputIds;
        TokenCount = tokenCount;
        TargetPositions = targetPositions;
        TargetIds = targetIds;
    }

    public int TokenCount { get; }

    /// <summary>Number of target tokens.</summary>
    public int TargetCount => TargetIds.Length;

    /// <summary>Packed places of the tokens that predict a target, rising.</summary>
    public long[] TargetPositions { get; }

    /// <summary>The token that each of these places has to predict.</summary>
    public long[] TargetIds { get; }

    /// <summary>Documents are put in order of length, so that equally long ones stand beside each other and attention takes them together.</summary>
    public static MicroBatch Create(TokenDocuments documents, IEnumerable<int> indices)
    {
        List<ReadOnlyMemory<int>> inputIds = [];
        List<long> positions = [];
        List<long> targets = [];
        int start = 0;
        foreach (TokenDocument document in indices.Select(i => documents[i]).OrderBy(d => d.Length))
        {
            inputIds.Add(document.InputIds);
            LabelShift.Append(document.Labels.Span, start, positions, targets);
            start += document.Length;
        }

        return new MicroBatch([.. inputIds], start, [.. positions], [.. targets]);
    }

    public PackedBatch ToPacked(Device device) => PackedBatch.FromDocuments(inputIds, device);
}
