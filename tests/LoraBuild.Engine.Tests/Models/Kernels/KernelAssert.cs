// Fused against plain: what rounding may make of the same arithmetic.
namespace LoraBuild.Engine.Tests.Models.Kernels;

internal static class KernelAssert
{
    /// <param name="tolerance">Of a difference, relative to the largest magnitude expected.</param>
    public static void Close(float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double largest = expected.Max(Math.Abs);
        Assert.True(largest > 0, "a comparison with zeros shows nothing");
        double worst = GoldenTensors.LargestDifference(expected, actual); // Max() of numbers would pass over NaN
        Assert.True(worst <= tolerance * largest, $"differs by {worst:G3}, largest value {largest:G3}");
    }
}
