// PrepareDataset: the recipe's sources → dataset/.
using System.Globalization;
using LoraBuild.Core.Data;

namespace LoraBuild.Worker.Stages;

internal static class PrepareWork
{
    public static void Run(StageWork work)
    {
        PrepareReport report = DatasetPreparation.Run(work.Recipe, work.Work, work.Reporter);
        work.Reporter.Message(string.Create(
            CultureInfo.InvariantCulture,
            $"prepare: {report.Train.Documents:N0} documents to train on, {report.Eval.Documents:N0} held out, {report.Test.Documents:N0} for testing; {report.Duplicates:N0} duplicates and {report.Rejected.Count:N0} rejected lines left out"));
    }
}
