using LoraBuild.Engine.Models;
using LoraBuild.Engine.Models.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class AttentionTests
{
    [Theory]
    [InlineData("256,256", 9, 3, 64, 0, 0)]
    [InlineData("5,70,1,33,130", 4, 2, 16, 0, 0)]
    [InlineData("5,70,1,33,130", 4, 4, 24, 30, 0)]
    [InlineData("100,300,17", 3, 1, 80, 0, 20)]
    [InlineData("300", 4, 1, 256, 50, 70)]
    [InlineData("600,9", 2, 2, 12, 0, 0)]
    [InlineData("700", 2, 1, 32, 20, 513)]
    [InlineData("65,64,63", 2, 1, 20, 0, 64)]
    public void The_fused_kernel_gives_what_the_tensor_calls_give_forward_and_backward(string lengths, int heads, int keyHeads, int width, int cap, int window)
    {
        using DisposeScope scope = NewDisposeScope();
        Case given = new([.. lengths.Split(',').Select(int.Parse)], heads, keyHeads, width, cap, window);

        Result plain = given.Run(Attention.PackedReference), fused = given.Run(Attention.Packed);

        KernelAssert.Close(plain.Mixed, fused.Mixed, 5e-6);
        KernelAssert.Close(plain.Gradient, fused.Gradient, 1e-5);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(20, 40)]
    public void The_number_of_threads_changes_no_bit(int cap, int window)
    {
        using DisposeScope scope = NewDisposeScope();
        Case given = new([300, 20, 30, 1, 90], 6, 2, 32, cap, window);
        int threads = get_num_threads();
        try
        {
            set_num_threads(1);
            Result alone = given.Run(Attention.Packed);
            set_num_threads(3);
            Result shared = given.Run(Attention.Packed);
            Assert.Equal(alone.Mixed, shared.Mixed);
            Assert.Equal(alone.Gradient, shared.Gradient);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void A_document_does_not_see_its_neighbours()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = randn([70, 2, 16], generator: new Generator(3, CPU));
        using AttentionMasks masks = new();
        float[] together = Attend(x, [new(0, 1, 40), new(40, 1, 30)]);
        float[] alone = Attend(x.narrow(0, 40, 30), [new(0, 1, 30)]);
        Assert.Equal(alone, together[^alone.Length..]);

        float[] Attend(Tensor rows, DocumentRun[] runs) => Attention.Packed(rows, rows, rows, runs, masks, 0.25, null, null).data<float>().ToArray();
    }

    [Theory]
    [InlineData(40, 100, 0, 0)]
    [InlineData(3, 300, 0, 33)]
    [InlineData(65, 65, 10, 0)]
    [InlineData(1, 20, 0, 0)]
    public void New_tokens_see_what_is_cached_and_themselves(int queries, int keys, int cap, int window)
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(5, CPU);
        Tensor query = randn([keys, 4, 16], generator: generator), key = randn([keys, 2, 16], generator: generator), value = randn([keys, 2, 16], generator: generator);
        using AttentionMasks masks = new();
        double? softcap = cap == 0 ? null : cap;
        int? size = window == 0 ? null : window;
        float[] whole = Attention.PackedReference(query, key, value, [new(0, 1, keys)], masks, 0.3, softcap, size).data<float>().ToArray();
        float[] last = Attention.Cached(query.narrow(0, keys - queries, queries), key, value, masks, 0.3, softcap, size).data<float>().ToArray();
        KernelAssert.Close(whole[^last.Length..], last, 5e-6);
    }

    [Fact]
    public void Scores_far_apart_give_no_numbers_that_are_not_finite()
    {
        using DisposeScope scope = NewDisposeScope();
        Case given = new([90], 1, 1, 16, 0, 0, Scale: 1000);
        Result plain = given.Run(Attention.PackedReference), fused = given.Run(Attention.Packed);
        Assert.All(fused.Gradient, g => Assert.True(float.IsFinite(g)));
        KernelAssert.Close(plain.Mixed, fused.Mixed, 5e-3);
    }

    private delegate Tensor Kernel(Tensor query, Tensor key, Tensor value, IReadOnlyList<DocumentRun> runs, AttentionMasks masks, double scale, double? softcap, int? window);

    private sealed record Result(float[] Mixed, float[] Gradient);

    /// <summary>q, k and v are parts of one fused projection, as some families have it.</summary>
    private sealed record Case(int[] Lengths, int Heads, int KeyHeads, int Width, int Cap, int Window, double Scale = 0.3)
    {
        public Result Run(Kernel attend)
        {
            using AttentionMasks masks = new();
            Generator generator = new(5, CPU);
            long rows = Lengths.Sum();
            Tensor fused = randn([rows, (Heads + (2 * KeyHeads)) * Width], generator: generator).requires_grad_();
            Tensor query = fused.narrow(1, 0, Heads * Width).view(rows, Heads, Width);
            Tensor key = fused.narrow(1, Heads * Width, KeyHeads * Width).view(rows, KeyHeads, Width);
            Tensor value = fused.narrow(1, (Heads + KeyHeads) * Width, KeyHeads * Width).view(rows, KeyHeads, Width);
            List<DocumentRun> runs = [];
            foreach (int length in Lengths)
            {
                int start = runs.Sum(r => r.Documents * r.Length);
                if (runs.Count > 0 && runs[^1].Length == length)
                    runs[^1] = runs[^1] with { Documents = runs[^1].Documents + 1 };
                else
                    runs.Add(new DocumentRun(start, 1, length));
            }

            Tensor mixed = attend(query, key, value, runs, masks, Scale, Cap == 0 ? null : Cap, Window == 0 ? null : Window);
            autograd.backward([mixed], [randn([rows, Heads * Width], generator: generator)]);
            return new Result(mixed.detach().data<float>().ToArray(), fused.grad!.data<float>().ToArray());
        }
    }
}
