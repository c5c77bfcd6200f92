// AdamW with 8-bit and with paged state: the reference run, equal bytes however it is held, states that go on, and a full disk.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training.Optimizers;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training.Optimizers;

public sealed class HostStateAdamWTests
{
    /// <summary>golden/adam8/README.md: parameters to 2e-5, 0.2 % of the codes by one.</summary>
    [Theory]
    [InlineData("p8192")]
    [InlineData("p5000")]
    [InlineData("p1000")]
    public void Six_steps_are_those_of_bitsandbytes(string name)
    {
        using TemporaryDirectory directory = new();
        using DisposeScope scope = NewDisposeScope();
        JsonNode golden = Adam8Golden.Case(name);
        long[] shape = [.. golden["shape"]!.AsArray().Select(v => (long)v!)];
        int count = (int)(shape[0] * shape[1]);
        Tensor value = tensor(Adam8Golden.Floats((string)golden["p0"]!)).reshape(shape).clone().requires_grad_();
        float[] gradients = Adam8Golden.Floats((string)golden["grads"]!);
        float[] expected = Adam8Golden.Floats((string)golden["params_after_each_step"]!);
        JsonNode hyper = golden["hyper"]!;
        using HostStateAdamW optimizer = new(
            new AdamWRule((double)hyper["betas"]![0]!, (double)hyper["betas"]![1]!, (double)hyper["eps"]!), [new TrainedParameter("w", value, (double)hyper["weight_decay"]!, 1)], is8Bit: true);
        for (int step = 1; step <= (int)golden["steps"]!; step++)
        {
            GiveGradient(value, gradients.AsSpan((step - 1) * count, count));
            optimizer.CollectGradients();
            optimizer.Step((double)hyper["lr"]!, 1);
            GoldenTensors.AssertClose(expected[((step - 1) * count)..(step * count)], value.data<float>().ToArray(), 2e-5, $"parameters after step {step}");
            if (golden["snapshots"]![$"{step}"] is JsonNode snapshot)
            {
                string path = Path.Combine(directory.Path, $"{step}.safetensors");
                optimizer.Save(path);
                CompareState(path, snapshot, (int)golden["state_bits"]! == 8);
            }
        }
    }

    /// <summary>golden/bitsandbytes/README.md: blocks of zeros, numbers of very different size in one block, a short last block, a rate that rises.</summary>
    [Fact]
    public void Ten_steps_over_hard_gradients_are_those_of_bitsandbytes()
    {
        using TemporaryDirectory directory = new();
        using DisposeScope scope = NewDisposeScope();
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(Golden.Root, "bitsandbytes", "adam10.safetensors"));
        const int count = 4101;
        Tensor value = tensor([.. Enumerable.Range(0, count).Select(i => MathF.ScaleB((31 * i % 1999) - 999, -13))]).requires_grad_();
        using HostStateAdamW optimizer = new(new AdamWRule(0.9, 0.95, 1e-6), [new TrainedParameter("w", value, 0.1, 1)], is8Bit: true);
        for (int step = 1; step <= 10; step++)
        {
            GiveGradient(value, [.. Enumerable.Range(0, count).Select(i => HardGradient(i, step))]);
            optimizer.CollectGradients();
            optimizer.Step(1e-3 * step / 10, 1);
            if (!golden.Tensors.ContainsKey($"p.{step}"))
                continue;
            GoldenTensors.AssertClose(golden.ReadFloat32($"p.{step}"), value.data<float>().ToArray(), 2e-5, $"parameters after step {step}");
            string path = Path.Combine(directory.Path, $"{step}.safetensors");
            optimizer.Save(path);
            using SafetensorsFile saved = SafetensorsFile.Open(path);
            foreach (int moment in (int[])[1, 2])
            {
                AssertCodes(golden.GetBytes($"state{moment}.{step}").ToArray(), saved.GetBytes($"w.state{moment}").ToArray());
                AssertScales(golden.ReadFloat32($"absmax{moment}.{step}"), saved.ReadFloat32($"w.absmax{moment}"));
            }
        }

        static float HardGradient(int i, int step)
        {
            float h = (((7919 * i) + (104729 * step)) % 2001) - 1000;
            return i % 97 == 0 ? h : i / 256 % 5 == 3 ? 0 : MathF.ScaleB(h, -(10 + (6 * (i % 4))));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Threads_and_paging_change_no_bit_and_the_file_goes(bool is8Bit)
    {
        int threads = get_num_threads();
        using TemporaryDirectory directory = new();
        string pagingPath = Path.Combine(directory.Path, "state.paged");
        try
        {
            set_num_threads(1);
            (float[] Values, byte[] State) one = Run(is8Bit, directory.Path, null, 0);
            set_num_threads(4);
            AssertSame(one, Run(is8Bit, directory.Path, null, 0));
            AssertSame(one, Run(is8Bit, directory.Path, pagingPath, 0));
            AssertSame(one, Run(is8Bit, directory.Path, pagingPath, 400_000)); // some here, some there
            AssertSame(one, Run(is8Bit, directory.Path, pagingPath, 1L << 40));
            Assert.False(File.Exists(pagingPath));
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void Paged_fp32_state_computes_and_saves_what_plain_AdamW_does()
    {
        using TemporaryDirectory directory = new();
        (float[] Values, byte[] State) paged = Run(is8Bit: false, directory.Path, Path.Combine(directory.Path, "p"), 0);
        (float[] Values, byte[] State) plain = Run(p => new ElementwiseOptimizer(Rule(), p), directory.Path);
        AssertSame(plain, paged);
    }

    [Fact]
    public void A_budget_decides_how_much_stays_resident()
    {
        using TemporaryDirectory directory = new();
        using Tensor value = zeros([1_000_000], dtype: ScalarType.Float32).requires_grad_();
        string path = Path.Combine(directory.Path, "p");
        using HostStateAdamW optimizer = new(Rule(), [new TrainedParameter("w", value, 0, 1)], is8Bit: false, path, residentBudget: 3_000_000);
        Assert.InRange(optimizer.StateBytes.Resident, 2_000_000, 3_000_000);
        Assert.Equal(8_000_000, optimizer.StateBytes.Resident + optimizer.StateBytes.Paged);
        Assert.Equal(optimizer.StateBytes.Paged, new FileInfo(path).Length);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void A_saved_state_goes_on_bit_by_bit(bool is8Bit, bool isPaged)
    {
        using TemporaryDirectory directory = new();
        using DisposeScope scope = NewDisposeScope();
        string path = Path.Combine(directory.Path, "optimizer.safetensors");
        TrainedParameter[] first = Parameters();
        using HostStateAdamW optimizer = new(Rule(), first, is8Bit, isPaged ? Path.Combine(directory.Path, "a") : null);
        Steps(optimizer, first, 1, 3);
        optimizer.Save(path);
        TrainedParameter[] second = [.. first.Select(p => p with { Value = p.Value.detach().clone().requires_grad_() })];
        using HostStateAdamW loaded = new(Rule(), second, is8Bit, isPaged ? Path.Combine(directory.Path, "b") : null);
        loaded.Load(path);
        Assert.Equal(3, loaded.Steps);
        Steps(optimizer, first, 4, 6);
        Steps(loaded, second, 4, 6);
        Assert.Equal(ValuesOf(first), ValuesOf(second));
        loaded.Reset();
        loaded.Save(path);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.All(file.Tensors.Keys, name => Assert.True(file.GetBytes(name).IndexOfAnyExcept((byte)0) < 0, name));
    }

    [Fact]
    public void A_state_of_another_kind_is_refused()
    {
        using TemporaryDirectory directory = new();
        using DisposeScope scope = NewDisposeScope();
        string path = Path.Combine(directory.Path, "optimizer.safetensors");
        TrainedParameter[] parameters = Parameters();
        using HostStateAdamW wide = new(Rule(), parameters, is8Bit: false);
        wide.Save(path);
        using HostStateAdamW narrow = new(Rule(), parameters, is8Bit: true);
        Assert.Contains("state1 must be U8", Assert.Throws<InvalidDataException>(() => narrow.Load(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parameters_in_bf16_are_updated_through_an_fp32_copy()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor start = tensor([.. Enumerable.Range(0, 5000).Select(i => MathF.Sin(i))]);
        Tensor narrow = start.to(ScalarType.BFloat16).requires_grad_();
        Tensor wide = narrow.detach().to(ScalarType.Float32).requires_grad_();
        foreach (Tensor value in new[] { narrow, wide })
        {
            using HostStateAdamW optimizer = new(Rule(), [new TrainedParameter("w", value, 0.1, 1)], is8Bit: true);
            value.sum().backward();
            optimizer.CollectGradients();
            optimizer.Step(0.01, 1);
        }

        Assert.Equal(wide.detach().to(ScalarType.BFloat16).to(ScalarType.Float32).data<float>().ToArray(), narrow.detach().to(ScalarType.Float32).data<float>().ToArray());
    }

    [Fact]
    public void A_disk_without_room_is_an_error_that_says_how_much_is_needed()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "state.paged");
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => PagingFile.Create(path, 1L << 60));
        Assert.Equal("LB0640", error.Diagnostics[0].Code);
        Assert.Contains("1152921504606.8 MB", error.Diagnostics[0].Message, StringComparison.Ordinal);
        Assert.Contains("MB are free there", error.Diagnostics[0].Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_the_same_error()
    {
        using TemporaryDirectory directory = new();
        string file = Path.Combine(directory.Path, "file");
        File.WriteAllText(file, "");
        Assert.Equal("LB0640", Assert.Throws<DiagnosticException>(() => PagingFile.Create(Path.Combine(file, "state.paged"), 100)).Diagnostics[0].Code);
    }

    private static AdamWRule Rule() => new(0.9, 0.95, 1e-8);

    /// <summary>More than one part, less than one block, and a size just below that of 8-bit states.</summary>
    private static TrainedParameter[] Parameters() =>
    [
        .. new[] { 70_003, 4_096, 4_095, 33 }.Select((count, k) => new TrainedParameter(
            $"w{k}", tensor([.. Enumerable.Range(0, count).Select(i => MathF.Sin(i + k))]).requires_grad_(), k % 2 * 0.1, 1)),
    ];

    private static (float[] Values, byte[] State) Run(bool is8Bit, string directory, string? pagingPath, long budget) =>
        Run(p => new HostStateAdamW(Rule(), p, is8Bit, pagingPath, budget), directory);

    private static (float[] Values, byte[] State) Run(Func<TrainedParameter[], IOptimizer> create, string directory)
    {
        using DisposeScope scope = NewDisposeScope();
        TrainedParameter[] parameters = Parameters();
        using IOptimizer optimizer = create(parameters);
        Steps(optimizer, parameters, 1, 4);
        string path = Path.Combine(directory, "run.safetensors");
        optimizer.Save(path);
        return (ValuesOf(parameters), File.ReadAllBytes(path));
    }

    private static void Steps(IOptimizer optimizer, TrainedParameter[] parameters, int from, int to)
    {
        for (int t = from; t <= to; t++)
        {
            foreach (TrainedParameter parameter in parameters)
                GiveGradient(parameter.Value, [.. Enumerable.Range(0, (int)parameter.Value.NumberOfElements).Select(i => MathF.Sin((i * 0.37f) + (t * 0.9f)) * (i % 7 == 0 ? 1e-4f : 1))]);
            optimizer.CollectGradients();
            optimizer.Step(0.01, 0.5);
        }
    }

    private static float[] ValuesOf(TrainedParameter[] parameters) => [.. parameters.SelectMany(p => p.Value.data<float>().ToArray())];

    private static void AssertSame((float[] Values, byte[] State) expected, (float[] Values, byte[] State) actual)
    {
        Assert.Equal(expected.Values, actual.Values);
        Assert.Equal(expected.State, actual.State);
    }

    private static void CompareState(string path, JsonNode snapshot, bool is8Bit)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (int k in new[] { 1, 2 })
        {
            if (!is8Bit)
            {
                GoldenTensors.AssertClose(Adam8Golden.Floats((string)snapshot[$"state{k}"]!), file.ReadFloat32(k == 1 ? "w.exp_avg" : "w.exp_avg_sq"), 1e-6, $"state {k}");
                continue;
            }

            AssertCodes(Adam8Golden.Bytes((string)snapshot[$"state{k}"]!), file.GetBytes($"w.state{k}").ToArray());
            AssertScales(Adam8Golden.Floats((string)snapshot[$"absmax{k}"]!), file.ReadFloat32($"w.absmax{k}"));
        }
    }

    private static void AssertCodes(byte[] expected, byte[] codes)
    {
        Assert.All(codes.Zip(expected), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        Assert.InRange(codes.Zip(expected).Count(pair => pair.First != pair.Second), 0, expected.Length / 500);
    }

    private static void AssertScales(float[] expected, float[] scales) =>
        Assert.All(expected.Zip(scales), pair => Assert.Equal(pair.First, pair.Second, pair.First * 1e-5f));

    // d(Σ g·p)/dp = g
    private static void GiveGradient(Tensor parameter, ReadOnlySpan<float> gradient)
    {
        using DisposeScope scope = NewDisposeScope();
        parameter.mul(tensor(gradient.ToArray()).reshape(parameter.shape)).sum().backward();
    }
}
