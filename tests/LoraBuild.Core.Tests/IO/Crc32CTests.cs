using LoraBuild.Core.IO;

namespace LoraBuild.Core.Tests.IO;

public sealed class Crc32CTests
{
    [Fact]
    public void The_check_value_is_that_of_the_standard() => Assert.Equal(0xE3069283, Crc32C.Of("123456789"u8)); // RFC 3720

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(13)]
    public void Pieces_of_any_length_give_the_sum_of_the_whole(int length)
    {
        byte[] data = [.. Enumerable.Range(0, 100).Select(i => (byte)(i * 7))];
        Crc32C crc = new();
        using Stream stream = crc.AsStream();
        for (int done = 0; done < data.Length; done += length)
            stream.Write(data, done, Math.Min(length, data.Length - done));
        Assert.Equal(Crc32C.Of(data), crc.Value);
    }
}
