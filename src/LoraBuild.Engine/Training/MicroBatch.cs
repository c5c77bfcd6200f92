// The documents of one forward pass, without padding, and where their targets stand.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>One document of a batch.</summary>
/// <param name="Document">Its number in the data set.</param>
/// <param name="FirstTarget">Place of its first target among the batch's.</param>
/// <param name="FirstRow">Packed place of its first token.</param>
public readonly record struct BatchPart(int Document, int FirstTarget, int Targets, int FirstRow, int Tokens);

public sealed class MicroBatch
{
    private readonly ReadOnlyMemory<int>[] inputIds;

    private MicroBatch(ReadOnlyMemory<int>[] inputIds, int tokenCount, long[] targetPositions, long[] targetIds, IReadOnlyList<BatchPart> parts)
    {
        Parts = parts;
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

    /// <summary>The documents in their order in the batch.</summary>
    public IReadOnlyList<BatchPart> Parts { get; }

    /// <summary>Documents are put in order of length, so that equally long ones stand beside each other and attention takes them together.</summary>
    public static MicroBatch Create(TokenDocuments documents, IEnumerable<int> indices)
    {
        List<ReadOnlyMemory<int>> inputIds = [];
        List<long> positions = [];
        List<long> targets = [];
        List<BatchPart> parts = [];
        int start = 0;
        foreach ((TokenDocument document, int index) in indices.Select(i => (Document: documents[i], Index: i)).OrderBy(d => d.Document.Length))
        {
            inputIds.Add(document.InputIds);
            int first = targets.Count;
            LabelShift.Append(document.Labels.Span, start, positions, targets);
            parts.Add(new BatchPart(index, first, targets.Count - first, start, document.Length));
            start += document.Length;
        }

        return new MicroBatch([.. inputIds], start, [.. positions], [.. targets], parts);
    }

    public PackedBatch ToPacked(Device device) => PackedBatch.FromDocuments(inputIds, device);
}
