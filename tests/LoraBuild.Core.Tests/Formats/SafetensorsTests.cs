// Safetensors: what Hugging Face's library wrote is read and written back byte for byte; damaged files are refused cheaply.
using System.Diagnostics;
using System.Text;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class SafetensorsTests
{
    [Theory]
    [InlineData("adapters/llama-tied-qkv-r4/adapter_model.safetensors")]
    [InlineData("adapters/qwen2-qkvo-r8-dora/adapter_model.safetensors")]
    [InlineData("adapters/llama-tied-embed-head-r4-untied/adapter_model.safetensors")]
    [InlineData("files/llama-tied.golden.safetensors")] // I64 and F32 in one file
    [InlineData("files/qwen2-bf16.model.safetensors")]
    [InlineData("files/llama-fp16.model.safetensors")]
    [InlineData("llama-sharded/model-00002-of-00004.safetensors")]
    public void Rewriting_a_file_of_Hugging_Face_gives_the_same_bytes(string name)
    {
        string path = FormatsGolden.File(name);
        using TemporaryFolder folder = new();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        List<TensorToWrite> shuffled = [.. file.Tensors.Keys.OrderByDescending(n => n.Length).Select(n => TensorToWrite.CopyOf(file, n))];

        SafetensorsWriter.Write(folder.File("copy.safetensors"), shuffled, file.Metadata.Count > 0 ? file.Metadata : null);

        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(folder.File("copy.safetensors")));
    }

    [Fact]
    public void A_link_is_read_as_the_file_that_it_leads_to()
    {
        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(folder.File("x.safetensors"), [TensorToWrite.FromFloat32("f", [2], new float[] { 1, 2 })]);
        File.CreateSymbolicLink(folder.File("link.safetensors"), "x.safetensors");
        using SafetensorsFile file = SafetensorsFile.Open(folder.File("link.safetensors"));
        Assert.Equal([1, 2], file.ReadFloat32("f"));
    }

    [Fact]
    public void Values_come_back_as_they_were_written()
    {
        using TemporaryFolder folder = new();
        SafetensorsWriter.Write(
            folder.File("x.safetensors"),
            [
                TensorToWrite.FromFloat32("f", [2, 2], new float[] { 1, -2.5f, float.MaxValue, 0 }),
                TensorToWrite.FromInt32("i", [3], new[] { -100, 0, int.MaxValue }),
                TensorToWrite.FromInt64("l", [1], new[] { long.MinValue }),
                TensorToWrite.FromBytes("b", TensorDtype.BF16, [2], new byte[] { 0x80, 0x3F, 0x00, 0xC0 }),
                TensorToWrite.FromBytes("empty", TensorDtype.U8, [0, 7], ReadOnlyMemory<byte>.Empty),
                TensorToWrite.FromFloat32("scalar", [], new float[] { 3 }),
                TensorToWrite.FromFloat32("quote\"\\é\n", [1], new float[] { 4 }),
            ],
            new Dictionary<string, string> { ["z"] = "1", ["a"] = "line\nbreak" });

        using SafetensorsFile file = SafetensorsFile.Open(folder.File("x.safetensors"));
        Assert.Equal([1, -2.5f, float.MaxValue, 0], file.ReadFloat32("f"));
        Assert.Equal([-100, 0, int.MaxValue], file.ReadInt64("i"));
        Assert.Equal([long.MinValue], file.ReadInt64("l"));
        Assert.Equal([1f, -2f], file.ReadFloat32("b"));
        Assert.Empty(file.GetBytes("empty").ToArray());
        Assert.Equal([3f], file.ReadFloat32("scalar"));
        Assert.Equal([4f], file.ReadFloat32("quote\"\\é\n"));
        Assert.Equal("line\nbreak", file.Metadata["a"]);
        Assert.Equal(0, (file.Entry("f").FileOffset - file.Entry("l").FileOffset) % 8);
    }

    [Fact]
    public void A_tensor_that_writes_too_little_leaves_no_file()
    {
        using TemporaryFolder folder = new();
        TensorToWrite liar = new("x", TensorDtype.F32, [2], stream => stream.Write([1, 2, 3, 4]));
        Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(folder.File("x.safetensors"), [liar]));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("LB0402", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8)]
    [InlineData("LB0402", """{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4)]
    [InlineData("LB0402", """{"a":{"dtype":"F32","shape":[1]}}""", 4)]
    [InlineData("LB0402", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"extra":1}}""", 4)]
    [InlineData("LB0402", """{"a":7}""", 0)]
    [InlineData("LB0402", """{"__metadata__":{"a":1}}""", 0)]
    [InlineData("LB0402", """[1,2]""", 0)]
    [InlineData("LB0402", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", 4)]
    [InlineData("LB0402", """{} x""", 0)]
    [InlineData("LB0403", """{"a":{"dtype":"Q99","shape":[1],"data_offsets":[0,4]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}""", 4)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 8)]
    [InlineData("LB0403", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}""", 12)]
    [InlineData("LB0401", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 3)]
    [InlineData("LB0401", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 5)]
    public void A_header_that_lies_is_refused(string code, string header, int dataBytes)
    {
        using TemporaryFolder folder = new();
        byte[] text = Encoding.UTF8.GetBytes(header);
        string path = folder.Write("x.safetensors", [.. BitConverter.GetBytes((ulong)text.Length), .. text, .. new byte[dataBytes]]);
        Diagnostic diagnostic = Expect.Diagnostic(code, () => SafetensorsFile.Open(path));
        Assert.Equal(path, diagnostic.File);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(100_000_001UL)]
    [InlineData(1UL << 40)]
    [InlineData(ulong.MaxValue)]
    public void A_header_length_that_lies_is_refused(ulong length)
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("x.safetensors", [.. BitConverter.GetBytes(length), (byte)'{', (byte)'}']);
        Expect.Diagnostic(length == 0 ? "LB0402" : "LB0401", () => SafetensorsFile.Open(path));
    }

    [Fact]
    public void A_missing_and_an_empty_file_are_refused()
    {
        using TemporaryFolder folder = new();
        Expect.Diagnostic("LB0400", () => SafetensorsFile.Open(folder.File("none")));
        Expect.Diagnostic("LB0401", () => SafetensorsFile.Open(folder.Write("empty", Array.Empty<byte>())));
    }

    [Fact]
    public void Every_cut_and_every_damaged_byte_ends_in_a_diagnostic_or_a_valid_file()
    {
        byte[] good = File.ReadAllBytes(FormatsGolden.File("adapters/llama-tied-qkv-r4/adapter_model.safetensors"));
        using TemporaryFolder folder = new();
        string path = folder.File("x.safetensors");
        Random random = new(1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Stopwatch watch = Stopwatch.StartNew();
        for (int round = 0; round < 300; round++)
        {
            byte[] bad = round % 2 == 0 ? good[..random.Next(good.Length)] : (byte[])good.Clone();
            if (round % 2 == 1)
                bad[random.Next(2300)] = (byte)random.Next(256); // within the header
            File.WriteAllBytes(path, bad);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                Assert.All(file.Tensors.Keys, n => file.GetBytes(n));
            }
            catch (DiagnosticException)
            {
            }
        }

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 300, 0, 1_000_000);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(30), $"{watch.Elapsed} for 300 files");
    }

    [Fact]
    public void Forgotten_pages_are_read_again()
    {
        using SafetensorsFile file = SafetensorsFile.Open(FormatsGolden.File("files/qwen2-bf16.model.safetensors"));
        Dictionary<string, byte[]> before = file.Tensors.Keys.ToDictionary(n => n, n => file.GetBytes(n).ToArray());
        foreach (TensorEntry entry in file.Tensors.Values)
            file.Forget(entry, 0, entry.ByteLength);
        Assert.All(before, p => Assert.Equal(p.Value, file.GetBytes(p.Key).ToArray()));
    }

    [Fact]
    public void A_wrong_name_and_a_wrong_type_are_named()
    {
        using SafetensorsFile file = SafetensorsFile.Open(FormatsGolden.File("files/llama-tied.golden.safetensors"));
        Assert.Contains("logits", Expect.Diagnostic("LB0404", () => file.ReadFloat32("absent")).Message, StringComparison.Ordinal);
        Expect.Diagnostic("LB0405", () => file.ReadFloat32("labels"));
        Expect.Diagnostic("LB0405", () => file.ReadInt64("logits"));
    }
}
