// The shift of labels by hand.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class LabelShiftTests
{
    [Fact]
    public void Four_tokens_by_hand()
    {
        // tokens    a   b    c    d
        // labels    7  -100  9   11     b is no target; the label of a has nothing before it
        // predicts  -   c    d    (nothing)
        List<long> positions = [];
        List<long> targets = [];
        LabelShift.Append([7, -100, 9, 11], 0, positions, targets);
        Assert.Equal([1, 2], positions);
        Assert.Equal([9, 11], targets);
    }

    [Fact]
    public void A_document_s_first_token_is_no_target_of_the_document_before_it()
    {
        TokenDocuments documents = Documents.Of([1, 2], [3, 4, 5]);
        MicroBatch batch = MicroBatch.Create(documents, [0, 1]);
        Assert.Equal([0, 2, 3], batch.TargetPositions); // place 1 (the last token of the first document) predicts nothing
        Assert.Equal([2, 4, 5], batch.TargetIds);
        Assert.Equal(5, batch.TokenCount);
    }

    [Fact]
    public void One_token_has_no_target()
    {
        List<long> positions = [];
        LabelShift.Append([5], 0, positions, []);
        Assert.Empty(positions);
        LabelShift.Append([], 0, positions, []);
        Assert.Empty(positions);
    }
}
