// The memory of a contiguous fp32 tensor on the CPU, of any size, for passes that many threads share.
using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>Valid while the tensor lives. Who takes one keeps the tensor.</summary>
internal readonly unsafe struct FloatMemory
{
    private readonly float* start;

    private FloatMemory(float* start, long count)
    {
        this.start = start;
        Count = count;
    }

    public long Count { get; }

    public static bool IsPossible(Tensor tensor) =>
        tensor.device_type == DeviceType.CPU && tensor.dtype == ScalarType.Float32 && tensor.is_contiguous();

    public static FloatMemory Of(Tensor tensor)
    {
        using Tensor detached = tensor.detach();
        using Tensor flat = detached.view(-1);
        long count = flat.NumberOfElements;
        if (count == 0)
            return default;
        using Tensor element = flat.narrow(0, 0, 1); // a span of bytes ends at 2 GB, so only the place is asked for
        fixed (byte* bytes = element.bytes)
            return new FloatMemory((float*)bytes, count);
    }

    public Span<float> Slice(long offset, int length) => new(start + offset, length);

    /// <summary>√(Σ x²) in fp64, in parts of fixed size, so that the number of threads changes nothing.</summary>
    public static double SumOfSquares(IReadOnlyList<FloatMemory> memories)
    {
        FlatPart[] parts = FlatPart.Of([.. memories.Select(m => m.Count)]);
        double[] sums = new double[parts.Length];
        FlatPart.ForEach(parts.Length, i => sums[i] = SumOfSquares(memories[parts[i].Tensor].Slice(parts[i].Offset, parts[i].Length)));
        return sums.Sum();
    }

    private static double SumOfSquares(ReadOnlySpan<float> values)
    {
        int width = Vector<float>.Count;
        Vector<double> low = Vector<double>.Zero;
        Vector<double> high = Vector<double>.Zero;
        int i = 0;
        for (; i + width <= values.Length; i += width)
        {
            Vector.Widen(new Vector<float>(values.Slice(i, width)), out Vector<double> a, out Vector<double> b);
            low += a * a;
            high += b * b;
        }

        double sum = Vector.Sum(low) + Vector.Sum(high);
        for (; i < values.Length; i++)
            sum += (double)values[i] * values[i];
        return sum;
    }
}

/// <summary>A piece of one of several flat tensors: what one thread takes at once.</summary>
internal readonly record struct FlatPart(int Tensor, long Offset, int Length)
{
    private const int Elements = 1 << 15; // four arrays of it stay in a core's cache

    public static FlatPart[] Of(IReadOnlyList<long> counts)
    {
        List<FlatPart> parts = [];
        for (int tensor = 0; tensor < counts.Count; tensor++)
        {
            for (long offset = 0; offset < counts[tensor]; offset += Elements)
                parts.Add(new FlatPart(tensor, offset, (int)Math.Min(Elements, counts[tensor] - offset)));
        }

        return [.. parts];
    }

    /// <summary>As many threads as tensor arithmetic uses.</summary>
    public static void ForEach(int count, Action<int> body)
    {
        int threads = get_num_threads();
        if (threads <= 1 || count <= 2)
        {
            for (int i = 0; i < count; i++)
                body(i);
            return;
        }

        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads }, body);
    }
}
