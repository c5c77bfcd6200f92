using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class RowRandomnessTests
{
    [Fact]
    public void Rows_have_the_elements_of_their_blocks_however_a_step_is_cut()
    {
        const int width = 3; // odd: rows begin at even and at odd places
        float[] whole0 = Mask(null, 5, 100), whole1 = Mask(null, 4, 101);
        float[] cut = Mask([new BlockRows(1, 4, 2, 2), new BlockRows(0, 5, 1, 3)], 5, 100);
        Assert.Equal([.. whole1[(2 * width)..(4 * width)], .. whole0[width..(4 * width)]], cut);

        static float[] Mask(IReadOnlyList<BlockRows>? rows, long count, long seed)
        {
            using Tensor mask = new DropoutDraw(0.5, new RowRandomness(rows, block => seed + block).Elements(count, width, of => of * 1000)).Mask(count, width, ScalarType.Float32, CPU);
            return TensorTypes.ToFloat32Array(mask);
        }
    }
}
