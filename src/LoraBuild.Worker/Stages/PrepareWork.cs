// PrepareDataset: the recipe's sources → dataset/.
using LoraBuild.Core.Data;

namespace LoraBuild.Worker.Stages;

internal static class PrepareWork
{
    public static void Run(StageWork work) => DatasetPreparation.Run(work.Recipe, work.Work, work.Reporter);
}
