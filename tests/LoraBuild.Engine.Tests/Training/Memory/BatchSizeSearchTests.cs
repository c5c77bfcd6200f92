// Doubling, then backing off.
using LoraBuild.Engine.Training.Memory;

namespace LoraBuild.Engine.Tests.Training.Memory;

public sealed class BatchSizeSearchTests
{
    [Theory]
    [InlineData(10, 1000, 9, null, 10, "10")]
    [InlineData(10, 1000, 10, 10, 12, "10 20 15 12")]
    [InlineData(10, 1000, 40, 40, 50, "10 20 40 80 60 50")]
    [InlineData(10, 1000, 79, 70, 80, "10 20 40 80 60 70")]
    [InlineData(10, 100, 5000, 100, null, "10 20 40 80 100")]
    [InlineData(10, 10, 10, 10, null, "10")]
    [InlineData(1, 2, 1, 1, 2, "1 2")]
    public void The_largest_that_was_tried_and_fits_is_found(int smallest, int largest, int limit, int? fits, int? tooLarge, string tried)
    {
        List<int> sizes = [];
        (int? Fits, int? TooLarge) found = BatchSizeSearch.Find(smallest, largest, size =>
        {
            sizes.Add(size);
            return size <= limit;
        });
        Assert.Equal((fits, tooLarge), found);
        Assert.Equal(tried, string.Join(' ', sizes));
    }
}
