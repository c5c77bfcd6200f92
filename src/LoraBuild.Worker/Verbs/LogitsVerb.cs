// `logits`: what a model computes for given tokens, as tensors to compare with another implementation's.
using System.CommandLine;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Worker.Verbs;

internal static class LogitsVerb
{
    public static Command Create(VerbRunner runner)
    {
        Command command = new("logits", "input_ids [, attention_mask, position_ids] int64 [batch, seq] → logits float32 [batch, seq, vocab], hidden_states float32 [batch, seq, hidden].")
        {
            SharedOptions.Model, SharedOptions.Adapter, SharedOptions.Input, SharedOptions.Output,
        };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        string output = context.RequiredPath(SharedOptions.Output);
        string inputFile = context.RequiredFile(SharedOptions.Input);
        using SafetensorsFile input = SafetensorsFile.Open(inputFile);
        long[] shape = input.Entry("input_ids").Shape;
        if (shape.Length != 2)
            throw new DiagnosticException("LB0829", $"input_ids must have the shape [batch, seq], got {TensorShapes.Text(shape)}.", inputFile);
        long[] ids = input.ReadInt64("input_ids");
        long[]? mask = Optional(input, "attention_mask", shape);
        long[]? positions = Optional(input, "position_ids", shape);

        (CausalLM model, LoraAdapter? adapter) = Compute.Prepare(context).Load(ModelArguments.ModelDirectory(context), ModelArguments.AdapterDirectory(context));
        using (model)
        using (adapter)
        {
            Check(ids, mask, positions, model.VocabSize, inputFile);
            using IDisposable noGrad = no_grad();
            using PaddedBatch batch = PaddedBatch.Pack(ids, mask, (int)shape[0], positions, model.Device);
            using Tensor hidden = model.HiddenStates(batch.Packed); // [P, hidden]
            using Tensor logits = model.Logits(hidden); // [P, vocab]
            using Tensor paddedHidden = batch.Scatter(hidden);
            using Tensor paddedLogits = batch.Scatter(logits);
            SafetensorsWriter.Write(output, [
                TensorTypes.ToWrite("hidden_states", paddedHidden, TensorDtype.F32),
                TensorTypes.ToWrite("logits", paddedLogits, TensorDtype.F32),
            ]);
        }
    }

    private static long[]? Optional(SafetensorsFile input, string name, long[] shape)
    {
        if (!input.Tensors.TryGetValue(name, out TensorEntry? entry))
            return null;
        return entry.Shape.AsSpan().SequenceEqual(shape)
            ? input.ReadInt64(name)
            : throw new DiagnosticException("LB0829", $"{name} must have the shape of input_ids {TensorShapes.Text(shape)}, got {entry.ShapeText}.", input.Path);
    }

    private static void Check(long[] ids, long[]? mask, long[]? positions, int vocabSize, string file)
    {
        // Padding may hold any number: it is never looked up.
        for (int i = 0; i < ids.Length; i++)
        {
            if ((mask is null || mask[i] != 0) && (ids[i] < 0 || ids[i] >= vocabSize))
                throw new DiagnosticException("LB0829", $"input_ids holds {ids[i]}; the model has the tokens 0 to {vocabSize - 1}.", file);
            if (positions is not null && (mask is null || mask[i] != 0) && positions[i] < 0)
                throw new DiagnosticException("LB0829", $"position_ids holds {positions[i]}; a position is at least 0.", file);
        }

        if (ids.Length == 0 || (mask is not null && Array.TrueForAll(mask, m => m == 0)))
            throw new DiagnosticException("LB0829", "there is no token that is not padding.", file);
    }
}
