// The low-rank update of one linear module.
using LoraBuild.Engine.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <summary>
/// LoRA (Hu et al. 2021): y = W x + b + s · B(A x). DoRA (Liu et al. 2024): y = (m / n) ⊙ ((W + s·BA) x) + b with n the row norms of W + s·BA, a constant for the gradient.
/// With a start of its own W − s·B₀A₀ stands in W's place, in DoRA's norms too.
/// </summary>
public sealed class LoraLinear : ILinearAdapter, IDisposable
{
    private readonly AdapterSwitch shared;
    private readonly double dropout;
    private readonly int index;
    private Tensor? squaredNorms; // [out]: ‖W‖² of each row, the frozen part of n²

    /// <param name="target">Path, r and s.</param>
    /// <param name="a">[r, in].</param>
    /// <param name="b">[out, r].</param>
    /// <param name="magnitude">DoRA's m [out]; null: LoRA.</param>
    /// <param name="dropout">p of the inputs of A while gradients are recorded and a seed is set.</param>
    /// <param name="start">A₀ [r, in] and B₀ [out, r] of PiSSA and OLoRA; null: none.</param>
    /// <param name="index">Number of the module within its adapter: modules draw different dropout masks from one seed.</param>
    internal LoraLinear(AdapterTarget target, Parameter a, Parameter b, Parameter? magnitude, double dropout, int index, AdapterSwitch shared, (Tensor A, Tensor B)? start = null)
    {
        Start = start;
        Target = target;
        A = a;
        B = b;
        Magnitude = magnitude;
        this.dropout = dropout;
        this.index = index;
        this.shared = shared;
    }

    public AdapterTarget Target { get; }

    /// <summary>[r, in].</summary>
    public Parameter A { get; }

    /// <summary>[out, r].</summary>
    public Parameter B { get; }

    /// <summary>[out], or null.</summary>
    public Parameter? Magnitude { get; }

    /// <summary>A₀ [r, in] and B₀ [out, r], constants: the update is s·(BA − B₀A₀) (<see cref="LowRankStart"/>).</summary>
    internal (Tensor A, Tensor B)? Start { get; }

    public bool IsEnabled => shared.IsEnabled;

    /// <inheritdoc/>
    public (Tensor A, Tensor B, double Scaling)? LowRank => Magnitude is null && Start is null ? (A, B, Scaling) : null;

    private float Scaling => (float)Target.Scaling;

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, LinearWeight weight, Tensor? bias)
    {
        using Tensor? mask = Dropout(x.shape[0], x.shape[1])?.Mask(x.shape[0], x.shape[1], x.dtype, x.device);
        using Tensor? dropped = mask is null ? null : x.mul(mask);
        if (Magnitude is not null)
            return ForwardDora(x, dropped, weight, bias);
        Tensor y = weight.Linear(x, bias); // [P, out]
        using Tensor aT = A.t();
        using Tensor bT = B.t();
        if (x.dtype == A.dtype)
        {
            using Tensor low = (dropped ?? x).mm(aT); // [P, r]
            // In place: the product above does not need its result for the backward pass.
            SubtractStart(y, x);
            return y.addmm_(low, bT, 1, Scaling);
        }

        if (x.device_type == TorchSharp.DeviceType.CUDA && Start is null)
            return AddNarrowed(y, dropped ?? x);
        // A narrow model with an fp32 adapter: the update is computed in fp32 and rounded once, as PEFT does.
        using Tensor wide = (dropped ?? x).to_type(A.dtype);
        using Tensor wideLow = wide.mm(aT);
        using Tensor wideY = y.to_type(A.dtype, disposeAfter: true);
        SubtractStart(wideY, x);
        using Tensor sum = wideY.addmm(wideLow, bT, 1, Scaling);
        return sum.to_type(x.dtype);
    }

    /// <inheritdoc/>
    public Tensor EffectiveWeight(LinearWeight weight)
    {
        using var scope = NewDisposeScope();
        Tensor updated = weight.Whole(A.dtype).addmm(B, A, 1, Scaling); // [out, in]
        if (Start is (Tensor a0, Tensor b0))
            updated = updated.addmm(b0, a0, 1, -Scaling);
        if (Magnitude is not null)
            updated = updated.mul(Magnitude.div(RowNorms(weight)).unsqueeze(1));
        return updated.to_type(weight.Plain?.dtype ?? A.dtype).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public DropoutDraw? Dropout(long rows, long width) =>
        dropout > 0 && shared.Dropout is { } randomness && is_grad_enabled() ? new DropoutDraw(1 - dropout, randomness.Elements(rows, width, seed => Mix(seed, index))) : null;

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
        Magnitude?.Dispose();
        squaredNorms?.Dispose();
        Start?.A.Dispose();
        Start?.B.Dispose();
    }

    /// <summary>n [out]: row norms of W + s·BA without forming it. ‖w + s·bA‖² = ‖w‖² + 2s·b·(A w) + s²·b(AAᵀ)b.</summary>
    internal Tensor RowNorms(LinearWeight weight)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        squaredNorms ??= SquaredNorms(weight).DetachFromDisposeScope();
        (Tensor a, Tensor b) = Start is (Tensor a0, Tensor b0) ? (cat([A, a0], 0), cat([B, b0.neg()], 1)) : (A, B); // BA − B₀A₀ as one product
        Tensor mixed = cat([.. weight.WideTiles().Select(t => t.Rows.mm(a.t()))], 0); // [out, r]: A w of each row
        mixed = mixed.mul_(2 * Target.Scaling).add_(b.mm(a.mm(a.t())), Target.Scaling * Target.Scaling);
        return mixed.mul_(b).sum(1).add_(squaredNorms).clamp_min_(0).sqrt_().MoveToOuterDisposeScope();
    }

    /// <returns>[out]: ‖w‖² of each row.</returns>
    internal static Tensor SquaredNorms(LinearWeight weight)
    {
        using var scope = NewDisposeScope();
        return cat([.. weight.WideTiles().Select(t => t.Rows.square().sum(1))], 0).MoveToOuterDisposeScope();
    }

    /// <summary>A device adds up products of narrow numbers in fp32: A and B are rounded to the type of the model, as autocast does, and nothing large is widened.</summary>
    private Tensor AddNarrowed(Tensor y, Tensor x)
    {
        using Tensor a = A.to_type(x.dtype);
        using Tensor b = B.to_type(x.dtype);
        using Tensor aT = a.t();
        using Tensor bT = b.t();
        using Tensor low = x.mm(aT); // [P, r]
        return y.addmm_(low, bT, 1, Scaling);
    }

    /// <summary>y −= s·B₀(A₀ x): what the residual weight of PiSSA and OLoRA lacks. Dropout does not touch it.</summary>
    private void SubtractStart(Tensor y, Tensor x)
    {
        if (Start is not (Tensor a0, Tensor b0))
            return;
        using var scope = NewDisposeScope();
        Tensor low = x.to_type(a0.dtype).mm(a0.t()); // [P, r]
        y.addmm_(low, b0.t(), 1, -Scaling);
    }

    private Tensor ForwardDora(Tensor x, Tensor? dropped, LinearWeight weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        Tensor factor = Magnitude!.div(RowNorms(weight)); // [out]
        Tensor low = (dropped ?? x).to_type(A.dtype).mm(A.t()); // [P, r]
        Tensor y;
        if (dropped is null)
        {
            y = Residual(x, weight).addmm(low, B.t(), 1, Scaling).mul(factor);
        }
        else
        {
            // With dropout PEFT rescales the product of the dropped input and leaves the base's own as it is.
            Tensor change = Residual(dropped, weight).mul(factor.sub(1.0)).add(low.mm(B.t()).mul(Target.Scaling).mul(factor));
            y = Residual(x, weight).add(change);
        }

        if (bias is not null)
            y = y.add(bias);
        return y.to_type(x.dtype).MoveToOuterDisposeScope();
    }

    /// <summary>W x, or (W − s·B₀A₀) x, in the type of A.</summary>
    private Tensor Residual(Tensor x, LinearWeight weight)
    {
        Tensor y = weight.Linear(x).to_type(A.dtype);
        SubtractStart(y, x);
        return y;
    }

    // Neighbouring seeds and modules get unrelated streams.
    private static long Mix(long seed, int index) => (long)(SplitMix64.Number((ulong)seed, (ulong)index) & long.MaxValue);
}
