// Tokens files: round trip, wider integers, and values that cannot be.
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class TokensFileTests
{
    [Fact]
    public void Documents_come_back_as_they_were_written()
    {
        using TemporaryFolder folder = new();
        TokensFile.Write(folder.File("t.safetensors"), new TokenDocuments([5, 6, 7], [-100, 6, 7], [0, 2, 2, 3]));
        TokenDocuments back = TokensFile.Read(folder.File("t.safetensors"));
        Assert.Equal(3, back.Count);
        Assert.Equal([5, 6], back[0].InputIds.ToArray());
        Assert.Equal([-100, 6], back[0].Labels.ToArray());
        Assert.Equal(0, back[1].Length);
        Assert.Equal([7], back[2].InputIds.ToArray());
        using SafetensorsFile file = SafetensorsFile.Open(folder.File("t.safetensors"));
        Assert.Equal((TensorDtype.I32, TensorDtype.I32, TensorDtype.I64), (file.Entry("input_ids").Dtype, file.Entry("labels").Dtype, file.Entry("offsets").Dtype));
    }

    [Fact]
    public void Wider_integers_are_read_too()
    {
        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(folder.File("t.safetensors"), [TensorToWrite.FromInt64("input_ids", [2], new long[] { 1, 2 }), TensorToWrite.FromInt64("labels", [2], new long[] { -100, 2 }), TensorToWrite.FromInt32("offsets", [2], new[] { 0, 2 })]);
        Assert.Equal([1, 2], TokensFile.Read(folder.File("t.safetensors")).InputIds);
    }

    [Theory]
    [InlineData(new long[] { -1, 2 }, new long[] { 1, 2 }, new long[] { 0, 2 })]
    [InlineData(new long[] { 1L << 40, 2 }, new long[] { 1, 2 }, new long[] { 0, 2 })]
    [InlineData(new long[] { 1, 2 }, new long[] { -7, 2 }, new long[] { 0, 2 })]
    [InlineData(new long[] { 1, 2 }, new long[] { 2 }, new long[] { 0, 2 })]
    [InlineData(new long[] { 1, 2 }, new long[] { 1, 2 }, new long[] { 1, 2 })]
    [InlineData(new long[] { 1, 2 }, new long[] { 1, 2 }, new long[] { 0, 3 })]
    [InlineData(new long[] { 1, 2 }, new long[] { 1, 2 }, new long[] { 0, 2, 1, 2 })]
    [InlineData(new long[] { 1, 2 }, new long[] { 1, 2 }, new long[] { })]
    public void Impossible_values_are_refused(long[] ids, long[] labels, long[] offsets)
    {
        using TemporaryFolder folder = new();
        string path = folder.File("t.safetensors");
        SafetensorsWriter.Write(path, [TensorToWrite.FromInt64("input_ids", [ids.Length], ids), TensorToWrite.FromInt64("labels", [labels.Length], labels), TensorToWrite.FromInt64("offsets", [offsets.Length], offsets)]);
        Expect.Diagnostic("LB0430", () => TokensFile.Read(path));
    }

    [Fact]
    public void A_missing_tensor_and_a_wrong_type_are_refused()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("t.safetensors");
        SafetensorsWriter.Write(path, [TensorToWrite.FromInt64("input_ids", [1], new long[] { 1 })]);
        Assert.Contains("labels", Expect.Diagnostic("LB0430", () => TokensFile.Read(path)).Message, StringComparison.Ordinal);
        SafetensorsWriter.Write(path, [TensorToWrite.FromFloat32("input_ids", [1], new float[] { 1 })]);
        Expect.Diagnostic("LB0430", () => TokensFile.Read(path));
    }
}
