// Where the random numbers of each row of a pass come from, so that they do not depend on how a step is cut into passes.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Rows of a pass, beside each other, that are rows of one block of random numbers.</summary>
/// <param name="Block">Number of the block within the step.</param>
/// <param name="BlockRowCount">Rows of the whole block.</param>
/// <param name="Start">The first row within the block.</param>
/// <param name="Count">How many.</param>
internal readonly record struct BlockRows(int Block, int BlockRowCount, int Start, int Count);

/// <summary>A block is what one seed gives: the micro-batch of the recipe. A pass may be a block, rows of one, or rows of several.</summary>
/// <param name="rows">The pass from its first row to its last; null: it is block 0, whatever its size.</param>
/// <param name="seedOf">The seed of a block.</param>
internal sealed class RowRandomness(IReadOnlyList<BlockRows>? rows, Func<int, long> seedOf)
{
    /// <summary>Every pass is a block of its own with this seed.</summary>
    public static RowRandomness Of(long seed) => new(null, _ => seed);

    /// <summary>The same where element i of a block follows from its seed and i: nothing is drawn, and a pass does not cost what whole blocks would.</summary>
    /// <param name="rowCount">Rows of the pass.</param>
    /// <param name="seedOfBlock">From the block's seed to that of the numbers.</param>
    public IReadOnlyList<SeededElements> Elements(long rowCount, long width, Func<long, long> seedOfBlock) =>
        rows is null
            ? [new SeededElements(seedOfBlock(seedOf(0)), 0, rowCount * width)]
            : [.. rows.Select(part => new SeededElements(seedOfBlock(seedOf(part.Block)), part.Start * width, part.Count * width))];

    /// <param name="rowCount">Rows of the pass.</param>
    /// <param name="fill">Writes random numbers into a whole block [rows, width] from a seed.</param>
    /// <returns>fp32 [rows, width] on the CPU, in the caller's dispose scope.</returns>
    public Tensor Draw(long rowCount, long width, Action<Tensor, long> fill)
    {
        if (rows is null)
            return Block(0, rowCount);
        if (rows is [{ Start: 0 } only] && only.Count == only.BlockRowCount)
            return Block(only.Block, rowCount);
        using DisposeScope scope = NewDisposeScope();
        Tensor result = empty([rowCount, width], dtype: ScalarType.Float32);
        (BlockRows Rows, long Place)[] placed = [.. rows.Select((r, i) => (r, rows.Take(i).Sum(before => (long)before.Count)))];
        foreach (IGrouping<int, (BlockRows Rows, long Place)> block in placed.GroupBy(p => p.Rows.Block))
        {
            using Tensor whole = Block(block.Key, block.First().Rows.BlockRowCount);
            foreach ((BlockRows part, long place) in block)
            {
                using Tensor from = whole.narrow(0, part.Start, part.Count);
                using Tensor to = result.narrow(0, place, part.Count);
                to.copy_(from);
            }
        }

        return result.MoveToOuterDisposeScope();

        Tensor Block(int number, long count)
        {
            Tensor block = empty([count, width], dtype: ScalarType.Float32);
            fill(block, seedOf(number));
            return block;
        }
    }
}
