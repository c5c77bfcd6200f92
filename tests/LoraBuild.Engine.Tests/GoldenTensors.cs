// Reads reference tensors and compares results with them.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests;

/// <summary>One safetensors file of reference values.</summary>
internal sealed class GoldenTensors(string path) : IDisposable
{
    private readonly SafetensorsFile file = SafetensorsFile.Open(path);

    public IEnumerable<string> Names => file.Tensors.Keys;

    public long[] Shape(string name) => file.Entry(name).Shape;

    public float[] Floats(string name) => file.ReadFloat32(name);

    public long[] Integers(string name) => file.ReadInt64(name);

    /// <summary>[batch, seq] with its mask, packed.</summary>
    public PaddedBatch Batch(string prefix = "") =>
        PaddedBatch.Pack(Integers($"{prefix}input_ids"), Integers($"{prefix}attention_mask"), (int)Shape($"{prefix}input_ids")[0]);

    /// <summary>Compares [batch, seq, width] where the mask is 1; rows where it is 0 mean nothing.</summary>
    public void AssertClose(string name, Tensor actual, long[] mask, double tolerance)
    {
        float[] expected = Floats(name);
        float[] values = TensorTypes.ToFloat32Array(actual);
        int width = expected.Length / mask.Length;
        double worst = 0;
        Assert.Equal(expected.Length, values.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (mask[i / width] != 0)
                worst = Worst(worst, expected[i], values[i]);
        }

        Assert.True(worst <= tolerance, $"{name}: largest difference {worst:G4}, allowed {tolerance:G4}");
    }

    public void AssertClose(string name, Tensor actual, double tolerance) => AssertClose(Floats(name), TensorTypes.ToFloat32Array(actual), tolerance, name);

    public static void AssertClose(float[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double worst = LargestDifference(expected, actual);
        Assert.True(worst <= tolerance, $"{what}: largest difference {worst:G4}, allowed {tolerance:G4}");
    }

    public static double LargestDifference(float[] expected, float[] actual)
    {
        double worst = 0;
        for (int i = 0; i < expected.Length; i++)
            worst = Worst(worst, expected[i], actual[i]);
        return worst;
    }

    public void Dispose() => file.Dispose();

    // NaN anywhere is as bad as can be.
    private static double Worst(double worst, float expected, float actual)
    {
        double difference = Math.Abs((double)expected - actual);
        return difference <= worst ? worst : double.IsNaN(difference) ? double.PositiveInfinity : difference;
    }
}
