// The memory of large tensors: nothing overlaps, and no more is reserved than was ever alive at once.
using LoraBuild.Torch.Native;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Interop;

public sealed class BlockAllocatorTests
{
    [Fact]
    public void Tensors_of_changing_sizes_keep_their_values_and_reserve_no_more_than_was_alive()
    {
        Random random = new(4);
        List<(Tensor Value, float Mark)> alive = [];
        for (int i = 0; i < 400; i++)
        {
            if (alive.Count > 0 && (alive.Count > 12 || random.Next(2) == 0))
            {
                int place = random.Next(alive.Count);
                (Tensor old, float mark) = alive[place];
                alive.RemoveAt(place);
                using (Tensor smallest = old.min())
                using (Tensor largest = old.max())
                {
                    Assert.Equal(mark, smallest.item<float>());
                    Assert.Equal(mark, largest.item<float>());
                }

                old.Dispose();
            }
            else
            {
                alive.Add((full([random.Next(1, 1_000_000)], (float)i), i));
            }
        }

        (long live, long mostLive, long reserved) = NativeRuntime.TensorBytes;
        Assert.InRange(live, 1, mostLive);
        Assert.InRange(reserved, live, mostLive);
        foreach ((Tensor value, _) in alive)
            value.Dispose();
        Assert.True(NativeRuntime.TensorBytes.Live < live);
    }

    [Fact]
    public void What_is_freed_is_given_out_again()
    {
        using (Tensor first = zeros([3_000_000]))
            _ = first.NumberOfElements;
        long before = NativeRuntime.TensorBytes.Reserved;
        for (int i = 0; i < 20; i++)
        {
            using Tensor again = ones([3_000_000 - (i * 1000)]);
        }

        Assert.True(NativeRuntime.TensorBytes.Reserved <= Math.Max(before, NativeRuntime.TensorBytes.MostLive));
    }

    [Fact]
    public void Neighbours_that_are_freed_are_one_block_again_whose_pages_need_not_come_from_the_system()
    {
        const int half = 3 << 20;
        using (Tensor whole = full([2 * half], 7f))
            _ = whole.NumberOfElements;
        // Carved from the same block, and freed without having been written.
        using (Tensor left = empty([half]))
        using (Tensor right = empty([half]))
            _ = right.NumberOfElements;
        using Tensor again = empty([2 * half]);
        using Tensor smallest = again.min();
        Assert.Equal(7f, smallest.item<float>()); // a new page would be 0
    }

    [Fact]
    public void A_request_that_is_refused_was_never_alive()
    {
        long before = NativeRuntime.TensorBytes.MostLive;
        Assert.ThrowsAny<Exception>(() => empty([1L << 50], dtype: ScalarType.Float32));
        Assert.Equal(before, NativeRuntime.TensorBytes.MostLive);
    }
}
