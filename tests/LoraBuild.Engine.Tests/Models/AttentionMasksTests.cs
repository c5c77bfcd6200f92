// The masks of all shapes against the definition: query i sees key j when i − window < j ≤ i.
using LoraBuild.Engine.Models.Kernels;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class AttentionMasksTests
{
    [Theory]
    [InlineData(5, 5, null)]
    [InlineData(70, 70, null)]
    [InlineData(3, 9, null)]
    [InlineData(9, 9, 4)]
    [InlineData(2, 100, 7)]
    [InlineData(1, 8, 3)]
    public void A_query_sees_the_keys_of_its_window_up_to_itself(int queries, int keys, int? window)
    {
        using AttentionMasks masks = new();
        // Another shape first: what it leaves must serve this one too.
        masks.Get(4, 4, window, CPU)?.Dispose();
        using Tensor mask = masks.Get(queries, keys, window, CPU)!;
        Assert.Equal([queries, keys], mask.shape);
        float[] values = mask.data<float>().ToArray();
        for (int i = 0; i < queries; i++)
        {
            for (int j = 0; j < keys; j++)
            {
                int query = keys - queries + i;
                bool isSeen = j <= query && j > query - (window ?? int.MaxValue / 2);
                Assert.Equal(isSeen ? 0 : float.NegativeInfinity, values[(i * keys) + j]);
            }
        }
    }

    [Fact]
    public void A_single_query_that_sees_every_key_has_no_mask()
    {
        using AttentionMasks masks = new();
        Assert.Null(masks.Get(1, 8, null, CPU));
        Assert.Null(masks.Get(1, 8, 8, CPU));
    }
}
