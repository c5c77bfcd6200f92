// Which documents each optimizer step sees. A pure function of lengths, options and the step: a resumed run asks for step k and gets the same.
namespace LoraBuild.Engine.Training;

/// <summary>Where a run stands in the data: passes done, and micro-batches of the current pass done.</summary>
public sealed record DataPosition(int Epoch, int MicroBatch);

/// <summary>
/// Documents → rows → micro-batches → optimizer steps, counted as transformers' Trainer counts: a pass has ⌈micro-batches / accumulation⌉ steps
/// (the last one may be short), a run has ⌈epochs · steps of a pass⌉ steps, or max_steps.
/// </summary>
public sealed class BatchPlan
{
    private readonly int[][] rows;
    private readonly int[] rowLengths;
    private readonly TrainOptions options;
    private int[]? epochOrder;
    private int epochOfOrder = -1;

    private BatchPlan(int[][] rows, IReadOnlyList<int> lengths, TrainOptions options)
    {
        rowLengths = [.. rows.Select(row => row.Sum(d => lengths[d]))];
        this.rows = rows;
        this.options = options;
        MicroBatchesPerEpoch = CeilingDivide(rows.Length, options.BatchSize);
        StepsPerEpoch = CeilingDivide(MicroBatchesPerEpoch, options.AccumulationSteps);
        TotalSteps = options.MaxSteps ?? (int)Math.Ceiling(options.NumTrainEpochs * StepsPerEpoch);
    }

    /// <summary>Documents, packed rows or pairs of a pass: what a batch counts.</summary>
    public int RowCount => rows.Length;

    public int MicroBatchesPerEpoch { get; }

    public int StepsPerEpoch { get; }

    public int TotalSteps { get; }

    /// <param name="lengths">Tokens of each document.</param>
    /// <param name="options">With packing, rows are made once (in shuffled order) and shuffled anew in each epoch, so that every epoch has the same number of steps.</param>
    public static BatchPlan Create(IReadOnlyList<int> lengths, TrainOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.BatchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.AccumulationSteps);
        int[] documents = [.. Enumerable.Range(0, lengths.Count)];
        if (!options.Packing)
            return new BatchPlan([.. documents.Select(d => new[] { d })], lengths, options);

        const long packingStream = -1; // epochs count from 0
        if (options.Shuffle)
            Generator(options.Seed, packingStream).Shuffle<int>(documents);
        return new BatchPlan(RowPacking.Pack(documents, lengths, options.MaxLength), lengths, options);
    }

    /// <summary>Where the data stands before optimizer step <paramref name="step"/> (from 0).</summary>
    public DataPosition PositionOf(int step) => new(step / StepsPerEpoch, step % StepsPerEpoch * options.AccumulationSteps);

    /// <summary>Passes done after <paramref name="stepsDone"/> steps, with fraction, as transformers reports it.</summary>
    public double EpochAfter(int stepsDone)
    {
        if (stepsDone == 0)
            return 0;
        DataPosition last = PositionOf(stepsDone - 1);
        int done = Math.Min(last.MicroBatch + options.AccumulationSteps, MicroBatchesPerEpoch);
        return last.Epoch + ((double)done / MicroBatchesPerEpoch);
    }

    /// <summary>Whether a pass ends with this step.</summary>
    public bool EndsEpoch(int stepsDone) => stepsDone > 0 && stepsDone % StepsPerEpoch == 0;

    /// <summary>The documents of each micro-batch of optimizer step <paramref name="step"/> (from 0).</summary>
    public IReadOnlyList<int[]> MicroBatchesOf(int step)
    {
        DataPosition position = PositionOf(step);
        int[] order = OrderOf(position.Epoch);
        int end = Math.Min(position.MicroBatch + options.AccumulationSteps, MicroBatchesPerEpoch);
        List<int[]> microBatches = [];
        for (int m = position.MicroBatch; m < end; m++)
        {
            int from = m * options.BatchSize;
            int to = Math.Min(from + options.BatchSize, rows.Length);
            microBatches.Add([.. order[from..to].SelectMany(row => rows[row])]);
        }

        return microBatches;
    }

    /// <summary>The rows of each micro-batch of a pass; a row is the documents that stand in it.</summary>
    public IEnumerable<IReadOnlyList<int[]>> RowsOfEpoch(int epoch) => OrderOf(epoch).Chunk(options.BatchSize).Select(batch => batch.Select(row => rows[row]).ToArray());

    private int[] OrderOf(int epoch)
    {
        if (epochOrder is null || epochOfOrder != epoch)
        {
            int[] order = [.. Enumerable.Range(0, rows.Length)];
            if (options.Shuffle)
                Generator(options.Seed, epoch).Shuffle<int>(order);
            if (options.Shuffle && options.GroupByLength)
                LengthGrouping.Group(order, rowLengths, options.BatchSize * options.AccumulationSteps);
            epochOrder = order;
            epochOfOrder = epoch;
        }

        return epochOrder;
    }

    private static DeterministicRandom Generator(long seed, long stream) => new((ulong)DeterministicRandom.Combine(seed, stream));

    private static int CeilingDivide(int a, int b) => (a + b - 1) / b;
}
