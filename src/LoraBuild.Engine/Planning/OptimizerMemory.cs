// How many bytes an optimizer remembers of what it trains.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training.Optimizers;

namespace LoraBuild.Engine.Planning;

/// <param name="HasMomentum">Of SGD.</param>
/// <param name="MomentBytes">Of one fp32 number; 2 where moments have the type of bf16 parameters.</param>
/// <param name="PagedBeyond">Bytes that stay in memory of a paged state; null: it is not paged.</param>
public sealed record OptimizerMemory(OptimizerKind Kind, bool HasMomentum = false, int MomentBytes = sizeof(float), long? PagedBeyond = null)
{
    /// <returns>Bytes in memory (of a paged state with the window that is mapped), and in a file.</returns>
    public (long Resident, long Paged) BytesOf(IEnumerable<TrainedTensor> trained)
    {
        long all = trained.Sum(BytesOf);
        if (PagedBeyond is not long budget || all <= budget)
            return (all, 0);
        return (budget + Math.Min(all - budget, StateMemory.WindowBytes), all - budget);
    }

    private long BytesOf(TrainedTensor tensor) => Kind switch
    {
        OptimizerKind.AdamW => 2 * tensor.Count * MomentBytes,
        OptimizerKind.AdamW8Bit => AdamStateFormat.Of(tensor.Count, is8Bit: true).BytesOf(tensor.Count),
        OptimizerKind.Lion => tensor.Count * MomentBytes,
        OptimizerKind.Sgd => HasMomentum ? tensor.Count * MomentBytes : 0,
        OptimizerKind.Adafactor => (tensor.Shape.Count == 2 ? tensor.Shape[0] + tensor.Shape[1] : tensor.Count) * MomentBytes,
        _ => throw new InvalidOperationException($"no memory is known of {Kind}"),
    };
}
