// How many bytes an optimizer remembers of what it trains.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training.Optimizers;

namespace LoraBuild.Engine.Planning;

/// <param name="HasMomentum">Of SGD.</param>
/// <param name="MomentBytes">Of one fp32 number; 2 where moments have the type of bf16 parameters.</param>
/// <param name="PagedBeyond">Bytes that stay in memory of a paged state; null: it is not paged.</param>
/// <param name="IsOfDevice">What is trained is on a device. A state that lives beside the tensors stays in the machine's memory then.</param>
public sealed record OptimizerMemory(OptimizerKind Kind, bool HasMomentum = false, int MomentBytes = sizeof(float), long? PagedBeyond = null, bool IsOfDevice = false)
{
    /// <param name="blockBytes">See <see cref="MemoryQuestion.BlockBytes"/>.</param>
    /// <returns>Bytes in memory (of a paged state with the window that is mapped), and in a file.</returns>
    public (Footprint Resident, long Paged) BytesOf(IReadOnlyList<TrainedTensor> trained, long blockBytes = 0)
    {
        long all = trained.Sum(BytesOf);
        if (PagedBeyond is long budget && all > budget)
            return (new Footprint(IsOfDevice ? 0 : budget + Math.Min(all - budget, StateMemory.WindowBytes), 0), all - budget);
        if (IsOneBlock)
            return (new Footprint(IsOfDevice ? 0 : all, 0), 0);
        Footprint sum = default;
        foreach (TrainedTensor tensor in trained)
            sum += Footprint.OfTensor(BytesOf(tensor) / TensorsOf, blockBytes) * TensorsOf;
        return (sum, 0);
    }

    /// <summary>State that lives beside the tensors.</summary>
    private bool IsOneBlock => PagedBeyond is not null || Kind == OptimizerKind.AdamW8Bit;

    private int TensorsOf => Kind is OptimizerKind.AdamW or OptimizerKind.Adafactor ? 2 : 1;

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
