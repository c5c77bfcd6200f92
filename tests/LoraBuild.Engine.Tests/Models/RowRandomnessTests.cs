using LoraBuild.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class RowRandomnessTests
{
    [Fact]
    public void Rows_that_are_written_where_they_are_used_are_those_of_their_blocks_however_a_step_is_cut()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor whole0 = Draw(null, 5, 100), whole1 = Draw(null, 4, 101);
        Tensor cut = Draw([new BlockRows(1, 4, 2, 2), new BlockRows(0, 5, 1, 3)], 5, 100);

        Assert.Equal([.. Numbers(whole1.narrow(0, 2, 2)), .. Numbers(whole0.narrow(0, 1, 3))], Numbers(cut));

        // What is written names the seed and the place in the block.
        static Tensor Draw(IReadOnlyList<BlockRows>? rows, long count, long seed)
        {
            Tensor target = zeros([count, 3]);
            new RowRandomness(rows, block => seed + block).Fill(
                target, (part, first, of) => part.copy_(arange(first, first + part.NumberOfElements).add(1000 * of).reshape(part.shape)));
            return target;
        }

        static float[] Numbers(Tensor t) => TensorTypes.ToFloat32Array(t);
    }
}
