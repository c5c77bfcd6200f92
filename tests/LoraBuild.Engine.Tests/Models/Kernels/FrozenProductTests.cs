// Products with frozen matrices: against sums in double precision, for shapes that fill tiles, panels and blocks and for those that do not.
using LoraBuild.Torch.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models.Kernels;

public sealed class FrozenProductTests
{
    // (rows, out, in): one, less and more than a tile of rows, a panel of columns, a block of the inner width.
    public static TheoryData<int, int, int> Shapes
    {
        get
        {
            TheoryData<int, int, int> data = [];
            foreach (int rows in (ReadOnlySpan<int>)[1, 11, 12, 13, 61])
            {
                foreach ((int outWidth, int inWidth) in (ReadOnlySpan<(int, int)>)[(1, 1), (16, 33), (17, 640), (33, 641), (160, 64), (161, 1290), (500, 47)])
                    data.Add(rows, outWidth, inWidth);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Forward_and_backward_are_the_sums_in_double_precision(int rows, int outWidth, int inWidth)
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(3, CPU);
        Tensor stored = randn([outWidth, inWidth], generator: generator).to_type(ScalarType.BFloat16), weight = stored.to_type(ScalarType.Float32);
        using TiledWeight tiled = TiledWeight.Stored(stored);
        Tensor x = randn([rows, inWidth], generator: generator), dy = randn([rows, outWidth], generator: generator);
        Tensor y = full([rows, outWidth], float.NaN), dx = full([rows, inWidth], float.NaN);
        float[] expectedY = Double(x).mm(Double(weight).t()).to_type(ScalarType.Float32).data<float>().ToArray();
        float[] expectedDx = Double(dy).mm(Double(weight)).mul(0.5).to_type(ScalarType.Float32).data<float>().ToArray();
        FrozenProduct.Forward_(x, weight, y);
        FrozenProduct.Backward_(dy, weight, 0.5, dx);
        KernelAssert.Close(expectedY, y.data<float>().ToArray(), 1e-6);
        KernelAssert.Close(expectedDx, dx.data<float>().ToArray(), 1e-6);
        FrozenProduct.Forward_(x, tiled, y.fill_(float.NaN));
        FrozenProduct.Backward_(dy, tiled, 0.5, dx.fill_(float.NaN));
        KernelAssert.Close(expectedY, y.data<float>().ToArray(), 1e-6);
        KernelAssert.Close(expectedDx, dx.data<float>().ToArray(), 1e-6);
    }

    [Fact]
    public void Neither_threads_nor_other_rows_change_a_bit()
    {
        using DisposeScope scope = NewDisposeScope();
        Generator generator = new(4, CPU);
        Tensor x = randn([300, 700], generator: generator), weight = randn([210, 700], generator: generator);
        int threads = get_num_threads();
        try
        {
            float[][] results = [.. new[] { 1, 2, 3 }.Select(Run)];
            Assert.Equal(results[0], results[1]);
            Assert.Equal(results[0], results[2]);
            Tensor part = empty([40, 210]);
            FrozenProduct.Forward_(x.narrow(0, 100, 40), weight, part);
            Assert.Equal(results[0][(100 * 210)..(140 * 210)], part.data<float>().ToArray());
        }
        finally
        {
            set_num_threads(threads);
        }

        float[] Run(int count)
        {
            set_num_threads(count);
            Tensor y = empty([300, 210]);
            FrozenProduct.Forward_(x, weight, y);
            return y.data<float>().ToArray();
        }
    }

    [Fact]
    public void What_is_not_finite_stays_so_in_its_row_and_nowhere_else()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor x = ones([30, 64]), weight = ones([20, 64]), y = empty([30, 20]);
        x[7, 5] = tensor(float.NaN);
        x[8, 5] = tensor(float.PositiveInfinity);
        FrozenProduct.Forward_(x, weight, y);
        float[] sums = y.data<float>().ToArray();
        Assert.All(Enumerable.Range(0, 600), i => Assert.Equal((i / 20) switch { 7 => float.NaN, 8 => float.PositiveInfinity, _ => 64f }, sums[i]));
    }

    [Theory]
    [InlineData(4, 9, 4, 5)]
    [InlineData(4, 8, 4, 6)]
    [InlineData(4, 8, 3, 5)]
    public void Shapes_that_do_not_fit_are_refused(int rows, int width, int resultRows, int resultWidth)
    {
        using DisposeScope scope = NewDisposeScope();
        Assert.ThrowsAny<Exception>(() => FrozenProduct.Forward_(ones([rows, width]), ones([5, 8]), empty([resultRows, resultWidth])));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    public void A_product_over_no_inner_index_is_zero(int rows)
    {
        using DisposeScope scope = NewDisposeScope();
        using TiledWeight tiled = TiledWeight.Stored(empty([20, 0], dtype: ScalarType.BFloat16));
        Tensor y = full([rows, 20], float.NaN), z = full([rows, 20], float.NaN);
        FrozenProduct.Forward_(empty([rows, 0]), tiled, y);
        FrozenProduct.Forward_(empty([rows, 0]), empty([20, 0]), z);
        Assert.All(y.data<float>().ToArray().Concat(z.data<float>().ToArray()), v => Assert.Equal(0f, v));
    }

    private static Tensor Double(Tensor tensor) => tensor.to_type(ScalarType.Float64);
}
