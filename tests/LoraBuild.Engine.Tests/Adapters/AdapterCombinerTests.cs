// Several adapters as one: what each method promises, and what cannot be combined.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class AdapterCombinerTests
{
    private const string Small = "llama-tied-qkv-r4"; // q, k, v of every layer
    private const string Large = "llama-tied-qkvog-r16"; // q, k, v, o, gate
    private const string Module = "model.layers.0.self_attn.q_proj";

    [Theory]
    [InlineData(CombineMethod.Cat, null, 1e-6)]
    [InlineData(CombineMethod.Svd, 60, 1e-5)]
    public void Cat_and_svd_of_enough_rank_are_the_weighted_sum_of_the_updates(CombineMethod method, int? rank, double tolerance)
    {
        using DisposeScope scope = NewDisposeScope();
        using TemporaryDirectory output = new();
        AdapterCombiner.Combine([new(Path_(Small), 0.7), new(Path_(Large), -0.4)], method, rank, output.Path);
        foreach (string module in new[] { Module, "model.layers.2.mlp.gate_proj" })
        {
            Tensor? small = Update(Path_(Small), module);
            Tensor expected = Update(Path_(Large), module)!.mul(-0.4);
            expected = small is null ? expected : expected.add(small.mul(0.7));
            GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(expected), TensorTypes.ToFloat32Array(Update(output.Path, module)!), tolerance, module);
        }

        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter loaded = LoraAdapter.Load(model, output.Path, isTrainable: true);
        Assert.Equal(method == CombineMethod.Cat ? 20 : 60, loaded.Modules.First(m => m.Target.Path == Module).Target.R);
        Assert.All(loaded.Modules, m => Assert.Equal(1, m.Target.Scaling, 1e-12));
    }

    [Fact]
    public void Svd_of_a_small_rank_is_the_nearest_update_of_that_rank()
    {
        using DisposeScope scope = NewDisposeScope();
        using TemporaryDirectory output = new();
        AdapterCombiner.Combine([new(Path_(Small), 1), new(Path_(Large), 1)], CombineMethod.Svd, 2, output.Path);
        Tensor whole = Update(Path_(Small), Module)!.add(Update(Path_(Large), Module)!);
        (_, Tensor s, _) = linalg.svd(whole, false);
        double left = Math.Sqrt(TensorTypes.ToFloat32Array(s).Skip(2).Sum(v => (double)v * v)); // Eckart and Young 1936
        Assert.Equal(left, whole.sub(Update(output.Path, Module)!).norm().item<float>(), left * 1e-4);
    }

    [Fact]
    public void Linear_adds_the_factors_with_the_roots_of_their_weights()
    {
        using DisposeScope scope = NewDisposeScope();
        using TemporaryDirectory output = new();
        string other = Path.Combine(Golden.Lora(Small), "adapter_init");
        AdapterCombiner.Combine([new(Path_(Small), 0.5), new(other, -0.25)], CombineMethod.Linear, null, output.Path);
        using PeftAdapterFiles one = PeftAdapterFiles.Read(Path_(Small)), two = PeftAdapterFiles.Read(other), combined = PeftAdapterFiles.Read(output.Path);
        double s = one.Config.ScalingOf(Module);
        Tensor Of(PeftAdapterFiles files, string key) => tensor(files.Weights.ReadFloat32(key), files.Weights.Tensors[key].Shape);
        string a = PeftAdapterFiles.KeyOfA(Module), b = PeftAdapterFiles.KeyOfB(Module);
        GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(Of(one, a).mul(Math.Sqrt(0.5 * s)).sub(Of(two, a).mul(Math.Sqrt(0.25 * s)))), TensorTypes.ToFloat32Array(Of(combined, a)), 1e-6, "A");
        GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(Of(one, b).mul(Math.Sqrt(0.5 * s)).add(Of(two, b).mul(Math.Sqrt(0.25 * s)))), TensorTypes.ToFloat32Array(Of(combined, b)), 1e-6, "B");
    }

    [Fact]
    public void What_does_not_add_up_is_refused()
    {
        using TemporaryDirectory output = new();
        void Refuses(CombineMethod method, params string[] directories) => Assert.Equal("LB0532", Assert.Throws<DiagnosticException>(
            () => AdapterCombiner.Combine([.. directories.Select(d => new WeightedAdapter(d, 1))], method, null, output.Path)).Diagnostics[0].Code);
        Refuses(CombineMethod.Cat, Path_(Small));
        Refuses(CombineMethod.Linear, Path_(Small), Path_(Large)); // ranks 4 and 16
        Refuses(CombineMethod.Cat, Path_(Small), Path_("llama-tied-all7-r8-dora"));
        Refuses(CombineMethod.Cat, Path_(Small), Path_("llama-tied-embed-head-r4-untied"));
        Refuses(CombineMethod.Svd, Path_(Small), Path_("qwen2-qkv-r64"));
    }

    private static string Path_(string run) => Path.Combine(Golden.Lora(run), "adapter_final");

    private static Tensor? Update(string directory, string module)
    {
        using PeftAdapterFiles files = PeftAdapterFiles.Read(directory);
        LoraPair? pair = files.Pairs.SingleOrDefault(p => p.ModulePath == module);
        return pair is null ? null : tensor(files.Weights.ReadFloat32(pair.B.Name), pair.B.Shape).mm(tensor(files.Weights.ReadFloat32(pair.A.Name), pair.A.Shape)).mul(files.Config.ScalingOf(module));
    }
}
