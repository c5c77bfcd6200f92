// What is advised when nothing fits is what would help and is not chosen already.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Tests.Export;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Memory;

namespace LoraBuild.Engine.Tests.Training.Memory;

public sealed class OutOfMemoryAdviceTests
{
    private static readonly TrainOptions Frugal = TinyRun.Options with { GradientCheckpointing = true, ActivationOffloading = true };

    [Fact]
    public void A_base_that_is_quantised_is_not_advised_to_be()
    {
        string plain = Advice(null, Frugal, r: 4);
        Assert.Contains("What needs less: base.quantization: nf4 holds the linear weights of the layers", plain, StringComparison.Ordinal);
        string quantised = Advice(new QuantizationOptions(), Frugal, r: 16);
        Assert.DoesNotContain("nf4", quantised, StringComparison.Ordinal);
        Assert.Contains("What needs less: adapter.r: 8", quantised, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_all_is_chosen_already_that_is_said() =>
        Assert.Contains("is chosen already: a smaller model", Advice(new QuantizationOptions(), Frugal, r: 4), StringComparison.Ordinal);

    [Fact]
    public void A_base_that_is_held_as_its_file_has_it_can_still_be_quantised()
    {
        using TemporaryDirectory directory = GgufModels.Materialise("llama-tied");
        using CausalLM model = CausalLM.Load(directory.Path, new LoadOptions { HoldsStoredType = true });
        Assert.IsType<StoredWeight>(model.LinearModules[0].BaseMatrix.Frozen);
        long bytes = model.LinearModules.Where(m => m != model.Head).Sum(m => m.BaseMatrix.Frozen!.ByteCount);
        Assert.Contains(FormattableString.Invariant($"nf4 holds the linear weights of the layers in about {bytes * 0.2578125 / 1e6:F1} MB in place of {bytes / 1e6:F1}"), OutOfMemoryAdvice.Of(model, null, Frugal, null, null), StringComparison.Ordinal);
    }

    private static string Advice(QuantizationOptions? quantization, TrainOptions options, int r)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { Quantization = quantization });
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = r, LoraAlpha = 8, TargetModules = ["q_proj"] });
        return OutOfMemoryAdvice.Of(model, adapter, options, null, null);
    }
}
