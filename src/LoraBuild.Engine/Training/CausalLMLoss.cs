// The loss of a micro-batch: the sum over target tokens, with the head computed only where a target is.
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Recomputation;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>
/// Σ over targets of −log p(target). The gradient at the head is computed beside the loss and handed to autograd as the gradient of the hidden
/// states. It is no autograd function: TorchSharp keeps what such a function saves after the backward pass, which would leak it at every step.
/// </summary>
public static class CausalLMLoss
{
    /// <summary>The loss alone.</summary>
    /// <param name="hidden">[P, hidden] after the final norm.</param>
    /// <returns>Sum of token losses in nats; 0 without targets.</returns>
    public static double Sum(CausalLM model, Tensor hidden, MicroBatch batch)
    {
        if (batch.TargetCount == 0)
            return 0;
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        (Tensor selected, _, Tensor targets) = Select(hidden, batch);
        return Head(model, model.HeadWeight).Run(selected, targets, 1, null, null);
    }

    /// <summary>The loss, and <paramref name="scale"/> times its gradient added to every trained tensor.</summary>
    /// <param name="hidden">[P, hidden] after the final norm, with its graph; the graph is used up.</param>
    /// <param name="scale">1 / number of targets of the whole optimizer step.</param>
    /// <param name="labelSmoothing">ε of transformers' label_smoothing_factor.</param>
    /// <returns>Sum of token losses in nats, without scale; 0 without targets.</returns>
    public static double Backward(CausalLM model, Tensor hidden, MicroBatch batch, double scale, double labelSmoothing = 0) =>
        Backward(model, new WholeGraphPass(hidden), batch, scale, labelSmoothing, null);

    /// <summary>The same through whatever the pass kept.</summary>
    internal static double Backward(CausalLM model, ITrainingPass pass, MicroBatch batch, double scale, double labelSmoothing) =>
        Backward(model, pass, batch, scale, labelSmoothing, null);

    /// <summary>The same with a weight for each target.</summary>
    /// <param name="weights">fp32, one a target in the order of the batch.</param>
    /// <returns>Sum of the weighted token losses.</returns>
    internal static double BackwardWeighted(CausalLM model, ITrainingPass pass, MicroBatch batch, float[] weights)
    {
        using Tensor given = tensor(weights, device: pass.Hidden.device);
        return Backward(model, pass, batch, 1, 0, given);
    }

    /// <summary>log p of every target, without gradient.</summary>
    public static float[] LogProbabilities(CausalLM model, Tensor hidden, MicroBatch batch)
    {
        if (batch.TargetCount == 0)
            return [];
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        (Tensor selected, _, Tensor targets) = Select(hidden.detach(), batch);
        Tensor losses = zeros([batch.TargetCount], dtype: ScalarType.Float32, device: hidden.device);
        Head(model, model.HeadWeight).Run(selected, targets, 1, null, null, losses: losses);
        return TensorTypes.ToFloat32Array(losses.neg());
    }

    private static double Backward(CausalLM model, ITrainingPass pass, MicroBatch batch, double scale, double labelSmoothing, Tensor? weights)
    {
        if (batch.TargetCount == 0)
            return 0;
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = pass.Hidden;
        (Tensor selected, Tensor positions, Tensor targets) = Select(hidden.detach(), batch);
        LinearWeight weight = model.HeadWeight; // [vocab, hidden]; with an adapter on the head it leads to A and B
        Tensor? trained = weight.Plain is { requires_grad: true } plain ? plain : null;
        Tensor selectedGradient = empty_like(selected);
        Tensor? weightGradient = trained is null ? null : zeros(trained.shape, dtype: ScalarType.Float32, device: trained.device);
        double sum = Head(model, weight, labelSmoothing).Run(selected, targets, scale, selectedGradient, weightGradient, weights: weights);

        List<Tensor> outputs = [];
        List<Tensor> gradients = [];
        if (hidden.requires_grad)
        {
            outputs.Add(hidden);
            gradients.Add(zeros_like(hidden).index_copy_(0, positions, selectedGradient));
        }

        if (trained is not null)
        {
            outputs.Add(trained);
            gradients.Add(weightGradient!.to(trained.dtype));
        }

        if (outputs.Count > 0)
            pass.Backward(outputs, gradients);
        return sum;
    }

    private static HeadCrossEntropy Head(CausalLM model, LinearWeight weight, double labelSmoothing = 0) => new(weight, model.LogitScale, model.LogitSoftcap, labelSmoothing);

    private static (Tensor Hidden, Tensor Positions, Tensor Targets) Select(Tensor hidden, MicroBatch batch)
    {
        Tensor positions = tensor(batch.TargetPositions, device: hidden.device);
        Tensor targets = tensor(batch.TargetIds, device: hidden.device);
        return (hidden.index_select(0, positions), positions, targets); // [targets, hidden]
    }
}
