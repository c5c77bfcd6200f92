// The product with a weight that is widened by tile, in TorchSharp calls: what the native one has to equal, and what other devices use.
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Kernels;

/// <summary>y = x Wᵀ and dx = dy W, a tile of W's rows at a time; the graph keeps the weight and nothing widened.</summary>
internal sealed class TiledLinear : autograd.SingleTensorFunction<TiledLinear>
{
    /// <summary>Elements of a tile: 2 MB in fp32.</summary>
    private const long TileElements = 1 << 19;

    public override string Name => nameof(TiledLinear);

    /// <param name="x">[P, in].</param>
    /// <param name="computeType">BFloat16: both operands and the result are rounded to it; else nothing is.</param>
    /// <returns>[P, out] in the type of <paramref name="x"/>.</returns>
    public static Tensor Apply(Tensor x, IFrozenWeight weight, ScalarType computeType, Tensor? bias)
    {
        Tensor y = apply(x, weight, computeType == ScalarType.BFloat16);
        if (bias is null)
            return y;
        using (y)
            return y.add(bias);
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        Tensor x = (Tensor)vars[0];
        IFrozenWeight weight = (IFrozenWeight)vars[1];
        bool isRounded = (bool)vars[2];
        ctx.save_data("weight", weight);
        ctx.save_data("rounded", isRounded);
        ctx.save_data("type", x.dtype);
        Tensor rows = Operand(x, isRounded);
        Tensor y = empty([x.shape[0], weight.OutFeatures], dtype: ScalarType.Float32, device: x.device);
        Forward_(rows, weight, isRounded, y);
        return Operand(y, isRounded).to_type(x.dtype).MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        using var scope = NewDisposeScope();
        IFrozenWeight weight = (IFrozenWeight)ctx.get_data("weight");
        bool isRounded = (bool)ctx.get_data("rounded");
        Tensor dy = Operand(grad_output, isRounded);
        Tensor dx = empty([dy.shape[0], weight.InFeatures], dtype: ScalarType.Float32, device: dy.device);
        Backward_(dy, weight, isRounded, 1, dx);
        return [Operand(dx, isRounded).to_type((ScalarType)ctx.get_data("type")).MoveToOuterDisposeScope(), null!, null!];
    }

    /// <summary>y = x Wᵀ, a tile at a time.</summary>
    /// <param name="x">fp32 [n, in].</param>
    /// <param name="isRounded">W is rounded to bf16; x, if it has to be, is already.</param>
    /// <param name="y">fp32 [n, out], overwritten; its rows may stand apart.</param>
    public static void Forward_(Tensor x, IFrozenWeight weight, bool isRounded, Tensor y)
    {
        using var scope = NewDisposeScope();
        foreach ((long first, Tensor tile) in Tiles(weight, isRounded))
            y.narrow(1, first, tile.shape[0]).addmm_(x, tile.t(), 0, 1);
    }

    /// <summary>dx = factor · dy W, a tile at a time.</summary>
    /// <param name="dy">fp32 [n, out].</param>
    /// <param name="isRounded">W is rounded to bf16; dy, if it has to be, is already.</param>
    /// <param name="dx">fp32 [n, in], overwritten.</param>
    public static void Backward_(Tensor dy, IFrozenWeight weight, bool isRounded, double factor, Tensor dx)
    {
        using var scope = NewDisposeScope();
        foreach ((long first, Tensor tile) in Tiles(weight, isRounded))
            dx.addmm_(dy.narrow(1, first, tile.shape[0]), tile, first == 0 ? 0 : 1, (float)factor);
    }

    private static IEnumerable<(long First, Tensor Tile)> Tiles(IFrozenWeight weight, bool isRounded)
    {
        long step = Math.Max(1, TileElements / weight.InFeatures);
        for (long first = 0; first < weight.OutFeatures; first += step)
        {
            using var scope = NewDisposeScope();
            yield return (first, Operand(weight.Rows(first, Math.Min(step, weight.OutFeatures - first)), isRounded));
        }
    }

    /// <returns>fp32, rounded to bf16 on request; the argument itself where nothing changes.</returns>
    private static Tensor Operand(Tensor tensor, bool isRounded) =>
        (isRounded ? tensor.to_type(ScalarType.BFloat16) : tensor).to_type(ScalarType.Float32);
}
