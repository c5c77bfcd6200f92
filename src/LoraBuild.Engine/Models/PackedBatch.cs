// Documents one after the other without padding: what every forward pass takes.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Documents of equal length that stand beside each other.</summary>
/// <param name="Start">First row of the first document.</param>
/// <param name="Documents">How many.</param>
/// <param name="Length">Tokens of each.</param>
public readonly record struct DocumentRun(int Start, int Documents, int Length);

/// <summary>P tokens of some documents. Attention is causal inside each document and never crosses into another.</summary>
public sealed class PackedBatch : IDisposable
{
    private PackedBatch(Tensor inputIds, Tensor positionIds, int[] sequenceStarts, int largestPosition)
    {
        InputIds = inputIds;
        PositionIds = positionIds;
        SequenceStarts = sequenceStarts;
        LargestPosition = largestPosition;
        Runs = FindRuns(sequenceStarts);
    }

    /// <summary>int64 [P].</summary>
    public Tensor InputIds { get; }

    /// <summary>int64 [P]; from 0 in each document unless given.</summary>
    public Tensor PositionIds { get; }

    /// <summary>documents + 1 row numbers: document i is rows SequenceStarts[i] up to SequenceStarts[i + 1].</summary>
    public int[] SequenceStarts { get; }

    public int TokenCount => SequenceStarts[^1];

    public int DocumentCount => SequenceStarts.Length - 1;

    public int LargestPosition { get; }

    public IReadOnlyList<DocumentRun> Runs { get; }

    /// <summary>Packs documents; empty ones are left out.</summary>
    public static PackedBatch FromDocuments(IEnumerable<ReadOnlyMemory<int>> documents, Device? device = null)
    {
        List<long> ids = [];
        List<long> positions = [];
        List<int> starts = [0];
        foreach (ReadOnlyMemory<int> document in documents)
        {
            if (document.IsEmpty)
                continue;
            ReadOnlySpan<int> span = document.Span;
            for (int i = 0; i < span.Length; i++)
            {
                ids.Add(span[i]);
                positions.Add(i);
            }

            starts.Add(ids.Count);
        }

        return Create([.. ids], [.. positions], [.. starts], device);
    }

    /// <summary>Packs rows that are given with positions of their own.</summary>
    /// <param name="inputIds">[P].</param>
    /// <param name="positionIds">[P], each ≥ 0.</param>
    /// <param name="sequenceStarts">documents + 1 ascending row numbers from 0 to P.</param>
    public static PackedBatch Create(long[] inputIds, long[] positionIds, int[] sequenceStarts, Device? device = null)
    {
        if (inputIds.Length == 0 || positionIds.Length != inputIds.Length)
            throw new ArgumentException($"{inputIds.Length} tokens and {positionIds.Length} positions; there must be one position a token and at least one token");
        if (sequenceStarts[0] != 0 || sequenceStarts[^1] != inputIds.Length)
            throw new ArgumentException($"documents must cover the {inputIds.Length} tokens", nameof(sequenceStarts));
        for (int i = 1; i < sequenceStarts.Length; i++)
        {
            if (sequenceStarts[i] <= sequenceStarts[i - 1])
                throw new ArgumentException("documents must not be empty", nameof(sequenceStarts));
        }

        Device target = device ?? CPU;
        return new PackedBatch(
            tensor(inputIds, device: target), tensor(positionIds, device: target), sequenceStarts, (int)positionIds.Max());
    }

    public void Dispose()
    {
        InputIds.Dispose();
        PositionIds.Dispose();
    }

    private static List<DocumentRun> FindRuns(int[] starts)
    {
        List<DocumentRun> runs = [];
        for (int i = 0; i + 1 < starts.Length; i++)
        {
            int length = starts[i + 1] - starts[i];
            if (runs.Count > 0 && runs[^1].Length == length)
                runs[^1] = runs[^1] with { Documents = runs[^1].Documents + 1 };
            else
                runs.Add(new DocumentRun(starts[i], 1, length));
        }

        return runs;
    }
}
