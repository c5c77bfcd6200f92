// Documents in rows.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class RowPackingTests
{
    [Fact]
    public void A_document_that_does_not_fit_opens_a_row() =>
        Assert.Equal([[0, 1], [2], [3, 4]], RowPacking.Pack([0, 1, 2, 3, 4], [4, 6, 7, 5, 5], 10));

    [Fact]
    public void The_given_order_is_kept() =>
        Assert.Equal([[4, 3], [2], [1, 0]], RowPacking.Pack([4, 3, 2, 1, 0], [4, 6, 7, 5, 5], 10));

    [Fact]
    public void A_document_longer_than_a_row_has_one_for_itself() =>
        Assert.Equal([[0], [1], [2]], RowPacking.Pack([0, 1, 2], [3, 11, 3], 10));
}
