// Ten thousand steps of training leave neither tensors nor memory behind.
using LoraBuild.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Torch;

[CollectionDefinition(nameof(LeakTests), DisableParallelization = true)]
[Collection(nameof(LeakTests))]
public sealed class LeakTests
{
    /// <summary>y = x W, with a backward of its own.</summary>
    private sealed class Product : autograd.SingleTensorFunction<Product>
    {
        public override string Name => nameof(Product);

        public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
        {
            ctx.save_for_backward([(Tensor)vars[0], (Tensor)vars[1]]);
            return ((Tensor)vars[0]).matmul((Tensor)vars[1]);
        }

        public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
        {
            List<Tensor> saved = ctx.get_saved_variables();
            return [grad_output.matmul(saved[1].t()), saved[0].t().matmul(grad_output)];
        }
    }

    [Fact]
    public void Ten_thousand_steps_keep_tensors_and_memory_flat()
    {
        using Linear first = nn.Linear(8, 16);
        using var second = new Parameter(randn(16, 4));
        using var generator = new Generator(1);
        using AdamW optimizer = optim.AdamW([.. first.parameters(), second], lr: 1e-3, weight_decay: 0.01);
        void Step()
        {
            using var scope = NewDisposeScope();
            Tensor x = randn([4, 8], generator: generator);
            Tensor target = randint(0, 4, [4], generator: generator);
            Tensor logits = Product.apply(nn.functional.silu(first.forward(x)), second);
            Tensor loss = nn.functional.cross_entropy(logits, target) + logits[.., 0].square().mean() * 0.01;
            optimizer.zero_grad();
            loss.backward();
            nn.utils.clip_grad_norm_([.. first.parameters(), second], 1.0);
            optimizer.step();
            _ = loss.item<float>();
        }

        for (int i = 0; i < 1000; i++) Step();
        Settle();
        long tensors = NativeRuntime.LiveTensorCount, bytes = NativeRuntime.ResidentBytes;
        for (int i = 0; i < 10_000; i++) Step();

        // Every tensor of a step is gone when its scope closes: without a collection the count is as it was.
        Assert.Equal(tensors, NativeRuntime.LiveTensorCount);
        Settle();
        // 16 MB in 10,000 steps would be 1.6 kB a step, less than the tensors of one; the managed heap's own growth is below that.
        Assert.InRange(NativeRuntime.ResidentBytes - bytes, long.MinValue, 16L << 20);
    }

    private static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
