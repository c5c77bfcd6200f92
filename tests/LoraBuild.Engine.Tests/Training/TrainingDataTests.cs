// What is refused before the first step.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TrainingDataTests
{
    [Fact]
    public void Good_documents_are_counted() =>
        Assert.Equal(new TrainingDataSummary(2, 5, 3), TrainingData.Check(Documents.Of([1, 2], [3, 4, 5]), "training", 6));

    [Fact]
    public void No_document() => Refuses("LB0601", Documents.Of());

    [Fact]
    public void Every_label_masked() => Refuses("LB0602", Documents.WithLabels(([1, 2], [-100, -100]), ([3], [3])));

    [Fact]
    public void A_token_outside_the_vocabulary()
    {
        Refuses("LB0604", Documents.Of([1, 2], [3, 6]));
        Refuses("LB0604", Documents.WithLabels(([1, 2], [1, 6])));
        Refuses("LB0604", Documents.WithLabels(([1, 2], [1, -1])));
    }

    private static void Refuses(string code, TokenDocuments documents) =>
        Assert.Equal(code, Assert.Throws<DiagnosticException>(() => TrainingData.Check(documents, "training", 6)).Diagnostics[0].Code);
}
