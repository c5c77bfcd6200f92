// The answer: bytes by part, and when the peak is.
namespace LoraBuild.Engine.Planning;

/// <param name="Name">weights, adapter, gradients, optimizer, activations, logits, scratch or runtime.</param>
public sealed record MemoryPart(string Name, long Bytes);

/// <param name="Parts">Of a training step, in this order.</param>
/// <param name="LoadingBytes">Peak while the weights are brought into memory.</param>
/// <param name="EvaluationBytes">Peak of an evaluation.</param>
/// <param name="FileBytes">Beside memory: paged optimizer state and layer inputs in files.</param>
public sealed record MemoryPlan(IReadOnlyList<MemoryPart> Parts, long LoadingBytes, long EvaluationBytes, long FileBytes)
{
    public long StepBytes => Parts.Sum(p => p.Bytes);

    public long PeakBytes => Math.Max(StepBytes, Math.Max(LoadingBytes, EvaluationBytes));

    /// <summary>loading, step or evaluation.</summary>
    public string PeakPhase => PeakBytes == StepBytes ? "step" : PeakBytes == LoadingBytes ? "loading" : "evaluation";

    public long this[string part] => Parts.Single(p => p.Name == part).Bytes;
}
