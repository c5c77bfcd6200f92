// The gradients of a golden run's first optimizer step, by plain autograd over full logits.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests;

internal static class FirstStep
{
    /// <summary>Adds up the gradients of the step's micro-batches: each one's summed loss over the labels of the whole step.</summary>
    /// <returns>The step's loss.</returns>
    public static double Backward(CausalLM model, string run)
    {
        JsonNode training = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Lora(run), "run.json")))!["training"]!;
        int accumulation = training["gradient_accumulation_steps"]!.GetValue<int>();
        int[] order = [.. training["micro_batch_order"]!.AsArray().Take(accumulation).Select(n => n!.GetValue<int>())];
        using GoldenTensors batches = new(Path.Combine(Golden.Lora(run), "batches.safetensors"));
        long items = order.Sum(i => Shifted(batches, i).Count(l => l != -100));
        double total = 0;
        foreach (int index in order)
        {
            using var scope = NewDisposeScope();
            using PaddedBatch batch = batches.Batch($"micro_batch_{index}.");
            long[] mask = batches.Integers($"micro_batch_{index}.attention_mask");
            long[] targets = [.. Shifted(batches, index).Where((_, i) => mask[i] != 0)];
            Tensor logits = model.Logits(model.HiddenStates(batch.Packed));
            Tensor loss = nn.functional.cross_entropy(logits, tensor(targets), ignore_index: -100, reduction: nn.Reduction.Sum).div(items);
            loss.backward();
            total += loss.item<float>();
        }

        return total;
    }

    /// <summary>[rows · T]: at each place the label of the next one.</summary>
    private static long[] Shifted(GoldenTensors batches, int index)
    {
        long[] labels = batches.Integers($"micro_batch_{index}.labels");
        int width = (int)batches.Shape($"micro_batch_{index}.labels")[1];
        return [.. labels.Select((_, i) => (i + 1) % width == 0 ? -100 : labels[i + 1])];
    }
}
