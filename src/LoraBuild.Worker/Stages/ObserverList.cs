// Several observers of one training run, in their order.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

internal sealed class ObserverList : ITrainingObserver, ISampleObserver
{
    private readonly List<ITrainingObserver> observers = [];

    public void Add(ITrainingObserver observer) => observers.Add(observer);

    public void Report(Diagnostic diagnostic) => observers.ForEach(o => o.Report(diagnostic));

    public void Started(TrainingStarted started) => observers.ForEach(o => o.Started(started));

    public void Stepped(StepMetrics step) => observers.ForEach(o => o.Stepped(step));

    public void Evaluated(EvaluationMetrics evaluation) => observers.ForEach(o => o.Evaluated(evaluation));

    public void CheckpointSaved(CheckpointSaved checkpoint) => observers.ForEach(o => o.CheckpointSaved(checkpoint));

    public void WentBack(int step, int evaluatedStep) => observers.ForEach(o => o.WentBack(step, evaluatedStep));

    public void Finished(TrainingResult result) => observers.ForEach(o => o.Finished(result));

    public void Sampled(IReadOnlyList<TrainingSample> samples)
    {
        foreach (ISampleObserver observer in observers.OfType<ISampleObserver>())
            observer.Sampled(samples);
    }
}
