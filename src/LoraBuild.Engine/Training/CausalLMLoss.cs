// The loss of a micro-batch: the sum over target tokens, with the head computed only where a target is.
using LoraBuild.Engine.Models;
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
        return Head(model).Run(selected, targets, 1, null, null, HeadCrossEntropy.RowsOfChunk(model.VocabSize));
    }

    /// <summary>The loss, and <paramref name="scale"/> times its gradient added to every trained tensor.</summary>
    /// <param name="hidden">[P, hidden] after the final norm, with its graph; the graph is used up.</param>
    /// <param name="scale">1 / number of targets of the whole optimizer step.</param>
    /// <returns>Sum of token losses in nats, without scale; 0 without targets.</returns>
    public static double Backward(CausalLM model, Tensor hidden, MicroBatch batch, double scale)
    {
        if (batch.TargetCount == 0)
            return 0;
        using DisposeScope scope = NewDisposeScope();
        (Tensor selected, Tensor positions, Tensor targets) = Select(hidden.detach(), batch);
        bool isHeadAdapted = model.Head.Adapter is { IsEnabled: true };
        (double sum, Tensor? weightGradient, Tensor selectedGradient) = isHeadAdapted
            ? ThroughLogits(model, selected, targets, scale)
            : ThroughWeight(model, selected, targets, scale);

        List<Tensor> outputs = [];
        List<Tensor> gradients = [];
        if (hidden.requires_grad)
        {
            outputs.Add(hidden);
            gradients.Add(zeros_like(hidden).index_copy_(0, positions, selectedGradient));
        }

        if (weightGradient is not null)
        {
            outputs.Add(model.Head.Weight);
            gradients.Add(weightGradient);
        }

        if (outputs.Count > 0)
            autograd.backward(outputs, gradients);
        return sum;
    }

    private static (double Sum, Tensor? WeightGradient, Tensor SelectedGradient) ThroughWeight(CausalLM model, Tensor selected, Tensor targets, double scale)
    {
        HeadCrossEntropy head = Head(model);
        Tensor selectedGradient = empty_like(selected);
        Tensor? weightGradient = head.Weight.requires_grad ? zeros(head.Weight.shape, dtype: ScalarType.Float32, device: selected.device) : null;
        double sum = head.Run(selected, targets, scale, selectedGradient, weightGradient, HeadCrossEntropy.RowsOfChunk(model.VocabSize));
        return (sum, weightGradient?.to(head.Weight.dtype), selectedGradient);
    }

    /// <summary>An adapter on the head (it may have dropout): each chunk goes through the module and back at once.</summary>
    private static (double Sum, Tensor? WeightGradient, Tensor SelectedGradient) ThroughLogits(CausalLM model, Tensor selected, Tensor targets, double scale)
    {
        Tensor selectedGradient = empty_like(selected);
        long rowsOfChunk = HeadCrossEntropy.RowsOfChunk(model.VocabSize);
        double sum = 0;
        for (long row = 0; row < selected.shape[0]; row += rowsOfChunk)
        {
            using DisposeScope scope = NewDisposeScope();
            long rows = Math.Min(rowsOfChunk, selected.shape[0] - row);
            Tensor h = selected.narrow(0, row, rows).clone().requires_grad_(); // [n, hidden], a leaf
            Tensor target = targets.narrow(0, row, rows).unsqueeze(1); // [n, 1]
            Tensor loss = model.Logits(h).log_softmax(1).gather(1, target).sum().neg();
            sum += loss.item<float>();
            loss.mul(scale).backward();
            selectedGradient.narrow(0, row, rows).copy_(h.grad!);
        }

        return (sum, null, selectedGradient);
    }

    private static HeadCrossEntropy Head(CausalLM model) => new(model.HeadWeight, model.LogitScale, model.LogitSoftcap);

    private static (Tensor Hidden, Tensor Positions, Tensor Targets) Select(Tensor hidden, MicroBatch batch)
    {
        Tensor positions = tensor(batch.TargetPositions, device: hidden.device);
        Tensor targets = tensor(batch.TargetIds, device: hidden.device);
        return (hidden.index_select(0, positions), positions, targets); // [targets, hidden]
    }
}
