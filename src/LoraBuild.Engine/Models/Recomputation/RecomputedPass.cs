// Activation checkpointing: the forward pass keeps the input of each layer alone, the backward pass computes the layers again, the last one first.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models.Recomputation;

/// <summary>
/// Chen et al. 2016, "Training deep nets with sublinear memory cost", with a border at each layer. Every layer is computed with its graph both times, by the same
/// calls on the same values (dropout is drawn from seeds), so that loss and gradients have the bits of a pass that keeps everything. The graph is cut by
/// hand and not by an autograd function, which would keep what it saves (see <c>CausalLMLoss</c>).
/// </summary>
/// <remarks>Lives in the dispose scope in which it is made; adapter, seeds and batch must stay as they are until its backward pass.</remarks>
internal sealed class RecomputedPass : ITrainingPass
{
    private readonly IReadOnlyList<DecoderLayer> layers;
    private readonly ForwardPass pass;
    private readonly Tensor embedded; // [P, hidden], with its graph: a look-up keeps nothing large
    private readonly Tensor last; // [P, hidden], the output of the last layer
    private readonly Stack<(int Layer, IKeptInput Input)> kept = []; // of the layers that a gradient goes through

    /// <param name="embedded">[P, hidden]: the input of the first layer.</param>
    /// <param name="finalNorm">What follows the last layer; its graph is kept.</param>
    /// <param name="file">Where the kept inputs go; null: they stay in memory.</param>
    public RecomputedPass(IReadOnlyList<DecoderLayer> layers, ForwardPass pass, Tensor embedded, Func<Tensor, Tensor> finalNorm, LayerInputFile? file)
    {
        this.layers = layers;
        this.pass = pass;
        this.embedded = embedded;
        Tensor x = Cut(embedded);
        for (int i = 0; i < layers.Count; i++)
        {
            Tensor next = Forward(i, x);
            if (next.requires_grad)
                kept.Push((i, file is null ? new InputInMemory(x) : new InputInFile(x, i, file)));
            else
                x.Dispose(); // below everything that is trained
            x = next;
        }

        last = x;
        Hidden = finalNorm(last);
    }

    public Tensor Hidden { get; }

    /// <remarks>Gradients of a tied matrix come from the head and from the embedding; they are handed over together at the end, because a sum in another order has other bits.</remarks>
    public void Backward(IReadOnlyList<Tensor> roots, IReadOnlyList<Tensor> gradients)
    {
        List<Tensor> lastRoots = [];
        List<Tensor> lastGradients = [];
        for (int i = 0; i < roots.Count; i++)
        {
            (Tensor? root, Tensor? gradient) = ReferenceEquals(roots[i], Hidden) ? (embedded, Descend(gradients[i])) : (roots[i], gradients[i]);
            if (gradient is null)
                continue;
            lastRoots.Add(root);
            lastGradients.Add(gradient);
        }

        if (lastRoots.Count > 0)
            autograd.backward(lastRoots, lastGradients);
    }

    /// <summary>Through final norm and layers, down to the first one that has something to train.</summary>
    /// <returns>The gradient of the embedding; null where it needs none.</returns>
    private Tensor? Descend(Tensor hiddenGradient)
    {
        autograd.backward([Hidden], [hiddenGradient]);
        Tensor? gradient = last.grad;
        last.Dispose();
        while (kept.TryPop(out (int Layer, IKeptInput Input) below))
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor x = below.Input.Take(scope);
            Tensor y = layers[below.Layer].Forward(x, pass);
            autograd.backward([y], [gradient!]);
            gradient!.Dispose();
            gradient = x.requires_grad ? x.grad!.MoveToOuterDisposeScope() : null;
        }

        return gradient;
    }

    /// <summary>The layer's output without its graph.</summary>
    private Tensor Forward(int layer, Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        return Cut(layers[layer].Forward(x, pass)).MoveToOuterDisposeScope();
    }

    /// <summary>The same values as the beginning of a graph, with a gradient if the tensor needs one.</summary>
    private static Tensor Cut(Tensor x) => x.detach().requires_grad_(x.requires_grad);
}
