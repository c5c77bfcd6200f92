// Starts of A and B that are taken from the weight itself: PiSSA and OLoRA.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <summary>
/// Both methods train A and B from A₀ and B₀ beside the residual W − s·B₀A₀. The residual is never formed: y = W x + s·(B(A x) − B₀(A₀ x)) is the same,
/// leaves the base weight as it is (memory-mapped, shared, still the reference model), and is what the saved adapter says: a plain LoRA of rank 2r.
/// </summary>
internal static class LowRankStart
{
    /// <param name="weight">W [out, in].</param>
    /// <param name="scaling">s.</param>
    /// <returns>A₀ [r, in] and B₀ [out, r], fp32, outside of dispose scopes.</returns>
    /// <exception cref="DiagnosticException">LB0531: r is larger than the weight's rank can be.</exception>
    public static (Tensor A, Tensor B) Create(LoraInit init, Tensor weight, AdapterTarget target, double scaling, Device device)
    {
        using var scope = NewDisposeScope();
        long largest = Math.Min(weight.shape[0], weight.shape[1]);
        if (target.R > largest)
            throw new DiagnosticException("LB0531", $"init_lora_weights {init.ToString().ToLowerInvariant()} takes r = {target.R} directions out of '{target.Path}', whose weight [{weight.shape[0]}, {weight.shape[1]}] has only {largest}; lower r or give the module its own in rank_pattern");
        Tensor wide = TensorTypes.Converted(weight, ScalarType.Float32, device);
        (Tensor a, Tensor b) = init == LoraInit.Pissa ? Pissa(wide, target.R, scaling) : Olora(wide, target.R);
        return (a.contiguous().DetachFromDisposeScope(), b.contiguous().DetachFromDisposeScope());
    }

    /// <summary>PiSSA (Meng et al. 2024): W = U S Vᵀ; A₀ = √(S_r/s)·V_rᵀ, B₀ = U_r·√(S_r/s), the r largest singular values.</summary>
    private static (Tensor A, Tensor B) Pissa(Tensor weight, long r, double scaling)
    {
        (Tensor u, Tensor s, Tensor vh) = linalg.svd(weight, fullMatrices: false);
        Tensor root = s.narrow(0, 0, r).div(scaling).sqrt(); // [r]
        return (vh.narrow(0, 0, r).mul(root.unsqueeze(1)), u.narrow(1, 0, r).mul(root.unsqueeze(0)));
    }

    /// <summary>OLoRA (Büyükakyüz 2024): W = Q R; A₀ = the first r rows of R, B₀ = the first r columns of Q, as PEFT takes them.</summary>
    private static (Tensor A, Tensor B) Olora(Tensor weight, long r)
    {
        (Tensor q, Tensor upper) = linalg.qr(weight);
        return (upper.narrow(0, 0, r).clone(), q.narrow(1, 0, r).clone());
    }
}
