// Dropout and noise are drawn from generators of their own: the same on one thread and on many.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class DropoutThreadsTests
{
    [Fact]
    public void The_number_of_threads_changes_no_mask()
    {
        int threads = get_num_threads();
        try
        {
            float[] one = Masked(1);
            Assert.Equal(one, Masked(4));
            Assert.InRange(one.Count(v => v == 0) / (double)one.Length, 0.48, 0.52);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    /// <summary>With W = 0, A the identity and B ones the module's output is the sum of the inputs that were kept; one input a row shows the mask.</summary>
    private static float[] Masked(int threads)
    {
        set_num_threads(threads);
        using var scope = NewDisposeScope();
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 60, LoraAlpha = 60, LoraDropout = 0.5, TargetModules = ["q_proj"], Seed = 3 });
        LoraLinear module = adapter.Modules[0];
        using (no_grad())
        {
            module.A.copy_(eye(60));
            module.B.copy_(eye(60));
        }

        adapter.SetDropoutSeed(11);
        const int rows = 3000; // 180,000 numbers: more than one thread's share
        Tensor y = module.Forward(ones(rows, 60), zeros(60, 60), null); // [rows, 60]: 0 or 2
        return TensorTypes.ToFloat32Array(y);
    }
}
