// Checkpoint tensors come back bit by bit, whole or in pieces.
using LoraBuild.Engine.Training;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TensorStateTests
{
    [Theory]
    [InlineData(1 << 24)]
    [InlineData(5)]
    public void Values_come_back_bit_by_bit(long pieceElements)
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "state.safetensors");
        using Tensor matrix = randn([4, 3]);
        using Tensor narrow = randn([7]).to(ScalarType.BFloat16);
        using Tensor buffer = randn([10]);
        using Tensor view = buffer.narrow(0, 2, 6);
        TensorState.Write(path, [("a", matrix), ("b", narrow), ("c", view)], new Dictionary<string, string> { ["steps"] = "3" });

        using Tensor matrixBack = zeros([4, 3]).requires_grad_();
        using Tensor narrowBack = zeros([7], dtype: ScalarType.BFloat16);
        using Tensor bufferBack = zeros([10]);
        using Tensor viewBack = bufferBack.narrow(0, 2, 6);
        IReadOnlyDictionary<string, string> metadata = TensorState.ReadInto(path, [("a", matrixBack), ("b", narrowBack), ("c", viewBack)], pieceElements);
        Assert.Equal("3", metadata["steps"]);
        Assert.True(matrix.Equals(matrixBack));
        Assert.True(narrow.Equals(narrowBack));
        Assert.True(view.Equals(viewBack));
        Assert.Equal(0, bufferBack[0].item<float>());
        Assert.Equal(0, bufferBack[9].item<float>());
    }

    [Fact]
    public void A_tensor_of_another_size_is_refused()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "state.safetensors");
        using Tensor three = zeros([3]);
        using Tensor four = zeros([4]);
        TensorState.Write(path, [("a", three)]);
        Assert.Throws<InvalidDataException>(() => TensorState.ReadInto(path, [("a", four)]));
        Assert.Throws<InvalidDataException>(() => TensorState.ReadInto(path, [("b", three)]));
    }
}
