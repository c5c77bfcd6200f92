// The matrix of a linear module, however it is held.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>Either a plain tensor [out, in], frozen or trained, or a frozen weight that is widened by tile.</summary>
public readonly record struct LinearWeight
{
    /// <summary>Rows that <see cref="WideTiles"/> widens at once have about this many elements (4 MB).</summary>
    private const long TileElements = 1 << 20;

    public LinearWeight(Tensor plain) => Plain = plain;

    public LinearWeight(IFrozenWeight frozen) => Frozen = frozen;

    /// <summary>[out, in], or null.</summary>
    public Tensor? Plain { get; }

    public IFrozenWeight? Frozen { get; }

    public long OutFeatures => Plain?.shape[0] ?? Frozen!.OutFeatures;

    public long InFeatures => Plain?.shape[1] ?? Frozen!.InFeatures;

    /// <summary>The type of the arithmetic: a weight that is held otherwise is widened to fp32.</summary>
    public ScalarType Dtype => Plain?.dtype ?? ScalarType.Float32;

    public Device Device => Plain?.device ?? Frozen!.Device;

    public static implicit operator LinearWeight(Tensor plain) => new(plain);

    /// <summary>y = x Wᵀ + b.</summary>
    /// <param name="x">[P, in].</param>
    /// <returns>[P, out], a new tensor.</returns>
    public Tensor Linear(Tensor x, Tensor? bias = null) =>
        Plain is not null ? nn.functional.linear(x, Plain, bias) : Frozen!.Linear(x, bias);

    /// <summary>Single rows in <see cref="Dtype"/>: what an embedding looks up.</summary>
    /// <param name="ids">int64 [n].</param>
    /// <returns>[n, in], a new tensor; differentiable where the weight is trained.</returns>
    public Tensor Rows(Tensor ids) => Plain is not null ? Plain.index_select(0, ids) : Frozen!.Rows(ids);

    /// <summary>The whole weight in <see cref="Dtype"/> and memory of its own.</summary>
    public Tensor Copy() => Plain is not null ? Plain.clone() : Whole(Dtype);

    /// <summary>The whole weight in a type; of a plain tensor of that type another reference to it.</summary>
    /// <returns>[out, in]; differentiable where the weight is trained.</returns>
    public Tensor Whole(ScalarType type)
    {
        if (Plain is not null)
            return TensorTypes.Converted(Plain, type, Plain.device);
        using var scope = NewDisposeScope();
        Tensor whole = empty([OutFeatures, InFeatures], dtype: type, device: Device);
        foreach ((long first, Tensor rows) in WideTiles())
            whole.narrow(0, first, rows.shape[0]).copy_(rows);
        return whole.MoveToOuterDisposeScope();
    }

    /// <summary>The weight in fp32, a few rows at a time.</summary>
    /// <returns>The first row's number and [rows, in], valid until the next.</returns>
    public IEnumerable<(long First, Tensor Rows)> WideTiles()
    {
        long step = Plain?.dtype == ScalarType.Float32 ? OutFeatures : Math.Max(1, TileElements / InFeatures);
        for (long first = 0; first < OutFeatures; first += step)
        {
            long count = Math.Min(step, OutFeatures - first);
            using Tensor rows = Plain is null ? Frozen!.Rows(first, count) : WideRows(Plain, first, count);
            yield return (first, rows);
        }
    }

    private static Tensor WideRows(Tensor plain, long first, long count)
    {
        using Tensor rows = plain.narrow(0, first, count);
        return TensorTypes.Converted(rows, ScalarType.Float32, plain.device);
    }
}
