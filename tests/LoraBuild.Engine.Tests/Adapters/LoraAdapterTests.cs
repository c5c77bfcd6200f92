// Fresh adapters: their start, their gradients, their dropout, and refusals.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class LoraAdapterTests
{
    private static readonly LoraOptions Options = new() { R = 4, LoraAlpha = 8, TargetModules = ["q_proj", "v_proj"], Seed = 3 };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_fresh_adapter_changes_nothing(bool useDora)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("qwen2-tied"), new LoadOptions());
        float[] before = Hidden(model);
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { UseDora = useDora });
        GoldenTensors.AssertClose(before, Hidden(model), useDora ? 1e-5 : 0, "hidden states"); // m / n is 1 only up to rounding
    }

    [Fact]
    public void A_starts_uniform_within_one_over_the_root_of_its_inputs_and_follows_the_seed()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        float[] First(LoraOptions options)
        {
            using LoraAdapter adapter = LoraAdapter.Attach(model, options);
            Assert.All(TensorTypes.ToFloat32Array(adapter.Modules[0].B), v => Assert.Equal(0, v));
            return TensorTypes.ToFloat32Array(adapter.Modules[0].A);
        }

        float[] a = First(Options with { R = 32 });
        double bound = 1 / Math.Sqrt(60);
        Assert.InRange(a.Max(), 0.95 * bound, bound);
        Assert.InRange(a.Min(), -bound, -0.95 * bound);
        Assert.Equal(a, First(Options with { R = 32 }));
        Assert.NotEqual(a, First(Options with { R = 32, Seed = 4 }));
        float[] gaussian = First(Options with { R = 32, Init = LoraInit.Gaussian });
        Assert.Equal(1.0 / 32, Math.Sqrt(gaussian.Average(v => (double)v * v)), 0.002);
    }

    [Fact]
    public void Only_the_adapter_gets_gradients_and_A_gets_zero_while_B_is_zero()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options);
        Assert.DoesNotContain(model.NamedParameters(), p => p.Value.requires_grad);
        using PackedBatch batch = Batch();
        using Tensor loss = model.HiddenStates(batch).square().sum();
        loss.backward();
        foreach (LoraLinear module in adapter.Modules)
        {
            using Tensor gradientOfA = module.A.grad!;
            using Tensor gradientOfB = module.B.grad!;
            Assert.All(TensorTypes.ToFloat32Array(gradientOfA), v => Assert.Equal(0, v));
            Assert.Contains(TensorTypes.ToFloat32Array(gradientOfB), v => v != 0);
        }
    }

    [Fact]
    public void Trainable_parameters_have_the_names_of_the_file_in_the_order_of_the_model()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        Assert.Empty(model.TrainableParameters());
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { ModulesToSave = ["lm_head", "embed_tokens"] });
        string[] names = [.. model.TrainableParameters().Select(p => p.Name)];
        Assert.Equal("base_model.model.model.embed_tokens.weight", names[0]);
        Assert.Equal("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", names[1]);
        Assert.Equal("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", names[2]);
        Assert.Equal("base_model.model.lm_head.weight", names[^1]);
        Assert.Equal((3 * 2 * 2) + 2, names.Length);
    }

    [Fact]
    public void Dropout_follows_its_seed_and_is_off_without_gradients()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Load(model, Path.Combine(Golden.Lora("llama-tied-qkv-r4"), "adapter_final"), isTrainable: true);
        float[] without = Hidden(model);
        using TemporaryDirectory directory = new();
        adapter.Save(directory.Path);
        adapter.Dispose();
        (PeftAdapterConfig.Read(directory.Path) with { LoraDropout = 0.5 }).Write(directory.Path);
        using LoraAdapter dropping = LoraAdapter.Load(model, directory.Path, isTrainable: true);
        float[] Recorded(long seed)
        {
            dropping.SetDropoutSeed(seed);
            using PackedBatch batch = Batch();
            using Tensor hidden = model.HiddenStates(batch);
            return TensorTypes.ToFloat32Array(hidden);
        }

        float[] first = Recorded(1);
        Assert.NotEqual(without, first);
        Assert.Equal(first, Recorded(1));
        Assert.NotEqual(first, Recorded(2));
        Assert.Equal(without, Hidden(model));
    }

    [Fact]
    public void An_adapter_on_the_head_acts_in_logits_and_in_the_weight_that_the_loss_reads()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, Options with { TargetModules = ["lm_head"] });
        using (no_grad())
            adapter.Modules[0].B.normal_(0, 1, new Generator(1));
        using PackedBatch batch = Batch();
        using Tensor hidden = model.HiddenStates(batch);
        using Tensor logits = model.Logits(hidden);
        using Tensor byWeight = nn.functional.linear(hidden, model.HeadWeight.Plain!);
        GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(byWeight), TensorTypes.ToFloat32Array(logits), 1e-4, "logits");
        using Tensor loss = byWeight.square().sum();
        loss.backward();
        using Tensor gradient = adapter.Modules[0].A.grad!;
        Assert.Contains(TensorTypes.ToFloat32Array(gradient), v => v != 0);
        DiagnosticException error = Assert.Throws<DiagnosticException>(() =>
        {
            adapter.Dispose();
            LoraAdapter.Attach(model, Options with { TargetModules = ["lm_head"], LoraDropout = 0.1 });
        });
        Assert.Equal("LB0527", error.Diagnostics[0].Code);
    }

    [Fact]
    public void A_fresh_adapter_comes_back_from_its_files_and_all_linear_is_written_as_names()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using TemporaryDirectory directory = new();
        float[] a;
        using (LoraAdapter adapter = LoraAdapter.Attach(model, Options with { TargetModules = [], TargetModulesPattern = AdapterPlan.AllLinear, UseDora = true }))
        {
            adapter.Save(directory.Path);
            a = TensorTypes.ToFloat32Array(adapter.Modules[^1].A);
        }

        using LoraAdapter loaded = LoraAdapter.Load(model, directory.Path, isTrainable: true);
        Assert.Equal(["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"], loaded.Config.TargetModules);
        Assert.Equal(3 * 7, loaded.Modules.Count);
        Assert.Equal(a, TensorTypes.ToFloat32Array(loaded.Modules[^1].A));
        Assert.NotNull(loaded.Modules[0].Magnitude);
    }

    [Fact]
    public void An_adapter_of_another_base_model_is_refused()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("qwen2-tied"), new LoadOptions());
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => LoraAdapter.Load(model, Path.Combine(Golden.Lora("llama-tied-qkv-r4"), "adapter_final"), isTrainable: false));
        Assert.All(error.Diagnostics, d => Assert.Equal("LB0526", d.Code));
        Assert.Contains("models/llama-tied", error.Message, StringComparison.Ordinal);
    }

    private static PackedBatch Batch() => PackedBatch.FromDocuments([new int[] { 5, 9, 12, 44, 7 }, new int[] { 8, 9, 101 }]);

    private static float[] Hidden(CausalLM model)
    {
        using var noGrad = no_grad();
        using PackedBatch batch = Batch();
        using Tensor hidden = model.HiddenStates(batch);
        return TensorTypes.ToFloat32Array(hidden);
    }
}
