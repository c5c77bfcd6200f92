// Files as tensors.
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Torch;

public sealed class FromFileTests : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public FromFileTests()
    {
        var bytes = new byte[64];
        Buffer.BlockCopy(Enumerable.Range(0, 16).Select(i => (float)i).ToArray(), 0, bytes, 0, 64);
        File.WriteAllBytes(_path, bytes);
    }

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_private_mapping_can_be_written_and_the_file_stays()
    {
        using var scope = NewDisposeScope();
        Tensor whole = from_file(_path, shared: false, size: 16, float32);
        Tensor part = whole.narrow(0, 4, 6).reshape(2, 3);
        Assert.Equal([4f, 5f, 6f, 7f, 8f, 9f], part.data<float>().ToArray());
        part.fill_(-1);
        Assert.Equal(-1f, whole[5].item<float>());
        Assert.Equal(5f, BitConverter.ToSingle(File.ReadAllBytes(_path), 20));
    }

    [Fact]
    public void Any_dtype_can_be_laid_over_the_bytes()
    {
        using var scope = NewDisposeScope();
        // The upper half of a float32 is the bfloat16 of the same value, little-endian: every second element.
        Tensor halves = from_file(_path, shared: false, size: 32, bfloat16);
        Assert.Equal([0f, 1f, 2f, 3f], halves.slice(0, 1, 8, 2).to(float32).data<float>().ToArray());
        Assert.Equal(0x3f, halves.bytes[7]);
    }

    [Fact]
    public void A_file_that_is_not_there_is_an_exception() =>
        Assert.ThrowsAny<Exception>(() => from_file(_path + ".missing", shared: false, size: 4, float32));
}
