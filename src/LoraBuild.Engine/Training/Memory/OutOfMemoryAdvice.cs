// What would fit, in figures, when nothing that changes no result does.
using System.Globalization;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Memory;

internal static class OutOfMemoryAdvice
{
    // Weight, gradient and AdamW's two moments, fp32.
    private const int BytesOfTrainedValue = 16;

    // Half a byte a value, and an 8-bit scale for each block of 64 (QLoRA's double quantization).
    private const double BytesOfNf4Value = 0.5 + (1.0 / 64);

    private const int ModestRank = 8;

    /// <param name="failure">What ran out; null: not known.</param>
    /// <param name="fittingLength">Tokens of a document that was tried and went through; null: none was tried.</param>
    public static string Of(CausalLM model, LoraAdapter? adapter, TrainOptions options, Exception? failure, int? fittingLength)
    {
        List<string> ways = [];
        if (fittingLength is > 0)
            ways.Add(Text($"a document of {fittingLength:N0} tokens was tried and went through: template.max_length: {fittingLength}"));
        if (options is { GradientCheckpointing: true, ActivationOffloading: false })
            ways.Add("train.activation_offloading: true puts the kept inputs of layers into a file");
        LinearLayer[] wide = [.. model.LinearModules.Where(m => m != model.Head && m.BaseMatrix is { Plain.requires_grad: false } or { Frozen: StoredWeight })]; // quantising leaves the head as it is
        if (wide.Length > 0)
            ways.Add(Text($"base.quantization: nf4 holds the linear weights of the layers in about {Megabytes(wide.Sum(m => m.InFeatures * m.OutFeatures) * BytesOfNf4Value)} MB in place of {Megabytes(wide.Sum(m => BytesOf(m.BaseMatrix)))}"));
        if (adapter is not null && adapter.Modules.Count > 0 && adapter.Modules.Max(m => m.Target.R) is int r and > ModestRank)
        {
            double bytes = adapter.Modules.Sum(m => m.A.NumberOfElements + m.B.NumberOfElements) * (double)BytesOfTrainedValue;
            ways.Add(Text($"adapter.r: {ModestRank} takes {Megabytes(bytes * ModestRank / r)} MB for adapter, gradients and moments in place of {Megabytes(bytes)} (r {r})"));
        }

        if (model.IsFullyTrained)
            ways.Add(Text($"adapter.type: lora does without the {Megabytes(model.TrainableParameters().Sum(p => p.Value.NumberOfElements) * (BytesOfTrainedValue - 4.0))} MB of gradients and moments of full fine-tuning"));
        string asked = failure is not null && OutOfMemory.BytesAskedFor(failure) is long more ? Text($"{Megabytes(more)} MB more were asked for, and the process has had up to {Megabytes(ProcessMemory.PeakBytes())} MB. ") : "";
        return ways.Count == 0
            ? $"{asked}Everything that is known to need less is chosen already: a smaller model, a smaller template.max_length or more memory is left."
            : $"{asked}What needs less: {string.Join("; ", ways)}.";
    }

    private static long BytesOf(LinearWeight weight) => weight.Plain is Tensor plain ? plain.NumberOfElements * plain.element_size() : weight.Frozen!.ByteCount;

    private static string Megabytes(double bytes) => (bytes / 1e6).ToString(bytes < 1e7 ? "F1" : "F0", CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
