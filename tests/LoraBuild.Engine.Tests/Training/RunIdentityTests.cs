// When two runs are the same run.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class RunIdentityTests
{
    private static readonly TokenDocuments Train = Documents.Of([1, 2, 3], [4, 5]);

    [Fact]
    public void What_decides_the_result_changes_it()
    {
        string identity = Compute(new TrainOptions());
        Assert.Equal(identity, Compute(new TrainOptions()));
        Assert.NotEqual(identity, Compute(new TrainOptions { LearningRate = 2e-4 }));
        Assert.NotEqual(identity, Compute(new TrainOptions { Seed = 43 }));
        Assert.NotEqual(identity, Compute(new TrainOptions { ExternalIdentity = "other weights" }));
        Assert.NotEqual(identity, RunIdentity.Compute(new TrainOptions(), Documents.Of([1, 2, 3, 4], [5]), null, ["a"]));
        Assert.NotEqual(identity, RunIdentity.Compute(new TrainOptions(), Train, Train, ["a"]));
        Assert.NotEqual(identity, RunIdentity.Compute(new TrainOptions(), Train, null, ["b"]));
    }

    [Fact]
    public void Logging_and_saving_do_not()
    {
        Assert.Equal(Compute(new TrainOptions()), Compute(new TrainOptions { LoggingSteps = 7, SaveSteps = 3, SaveTotalLimit = 9, Resume = false }));
    }

    private static string Compute(TrainOptions options) => RunIdentity.Compute(options, Train, null, ["a"]);
}
