// samples.jsonl: one line an answer, of every evaluation once.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

internal sealed class SamplesLog(string path) : ITrainingObserver, ISampleObserver, IDisposable
{
    private StepLog? log;

    /// <summary>Of a fresh run nothing stays, also not what the one before said before its first step.</summary>
    public void Started(TrainingStarted started) => log = StepLog.Open(path, line => started.FirstStep > 0 && (int?)line["step"] <= started.EvaluatedStep);

    public void Sampled(IReadOnlyList<TrainingSample> samples)
    {
        foreach (TrainingSample sample in samples)
            log!.Write(new JsonObject { ["step"] = sample.Step, ["prompt"] = sample.Question, ["answer"] = sample.Answer });
    }

    public void CheckpointSaved(CheckpointSaved checkpoint) => log!.FlushToDisk();

    public void WentBack(int step, int evaluatedStep) => log!.Keep(line => (int?)line["step"] <= evaluatedStep);

    public void Dispose() => log?.Dispose();
}
