// GGUF containers: the golden files are read, written back byte for byte, and refused when damaged.
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Core.Tests.Formats.Gguf;

public sealed class GgufFileTests
{
    private static readonly string Folder = FormatsGolden.File("gguf", "container");

    [Theory]
    [InlineData("kv_only.gguf")]
    [InlineData("tensors.gguf")]
    [InlineData("align64.gguf")]
    public void A_writer_fed_the_listed_content_gives_the_golden_bytes(string name)
    {
        JsonNode description = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "container.json")))!["files"]!.AsArray().First(f => (string)f!["file"]! == name)!;
        byte[] golden = File.ReadAllBytes(Path.Combine(Folder, name));
        int dataStart = (int)description["data_start"]!;
        List<GgufKey> keys = [.. description["kv"]!.AsArray().Select(k => Key(k!.AsArray()))];
        List<GgufTensorToWrite> tensors = [.. (description["tensors"]?.AsArray() ?? []).Select(t => new GgufTensorToWrite(
            (string)t!["name"]!,
            (GgmlType)(int)t["type_id"]!,
            [.. t["ne"]!.AsArray().Select(n => (long)n!)],
            stream => stream.Write(golden.AsSpan(dataStart + (int)t["offset"]!, (int)t["nbytes"]!))))];
        using MemoryStream written = new();

        GgufWriter.WriteTo(written, keys, tensors);

        Assert.Equal(golden, written.ToArray());
    }

    [Theory]
    [InlineData("kv_only.gguf")]
    [InlineData("tensors.gguf")]
    [InlineData("align64.gguf")]
    public void Reading_and_writing_back_gives_the_same_bytes(string name)
    {
        using TemporaryFolder folder = new();
        using GgufFile file = GgufFile.Open(Path.Combine(Folder, name));

        GgufWriter.Write(folder.File("copy.gguf"), file.Keys, [.. file.Tensors.Select(t => new GgufTensorToWrite(t.Name, t.Type, t.Dimensions, stream => stream.Write(file.GetBytes(t, 0, (int)t.ByteLength))))]);

        Assert.Equal(File.ReadAllBytes(Path.Combine(Folder, name)), File.ReadAllBytes(folder.File("copy.gguf")));
    }

    [Fact]
    public void Golden_values_encode_to_the_stored_bytes_and_decode_near_them()
    {
        using GgufFile file = GgufFile.Open(Path.Combine(Folder, "tensors.gguf"));
        foreach (string name in (string[])["one", "vec5", "mat_f16", "mat_bf16", "q8", "q4", "t3d", "last"])
        {
            float[] values = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(Folder, $"values.{name}.f32.bin"))).ToArray();
            GgufTensor tensor = file.Tensor(name);
            byte[] encoded = new byte[tensor.ByteLength];
            GgmlBlocks.Encode(tensor.Type, values, encoded);
            Assert.Equal(file.GetBytes(tensor, 0, encoded.Length).ToArray(), encoded);
            float[] decoded = file.ReadFloat32(name);
            Assert.All(values.Zip(decoded), p => Assert.Equal(p.First, p.Second, 0.3f)); // half a step of 4 bits over [-2, 2]
        }

        float[] wide = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(Folder, "values.q6k.f32.bin"))).ToArray();
        Assert.All(wide.Zip(file.ReadFloat32("q6k")), p => Assert.Equal(p.First, p.Second, 0.07f)); // half a step of 6 bits over [-4, 4]
        Expect.Diagnostic("LB0404", () => file.ReadFloat32("none"));
    }

    [Fact]
    public void A_tensor_type_that_is_only_known_by_its_size_is_not_decoded()
    {
        using TemporaryFolder folder = new();
        GgufWriter.Write(folder.File("x.gguf"), [], [new GgufTensorToWrite("t", GgmlType.IQ4_NL, [32], stream => stream.Write(new byte[18]))]);
        using GgufFile file = GgufFile.Open(folder.File("x.gguf"));
        Expect.Diagnostic("LB0441", () => file.ReadFloat32("t"));
    }

    [Theory]
    [InlineData(4, 9u, "LB0441")] // version
    [InlineData(4, 0x03000000u, "LB0441")] // big-endian
    [InlineData(0, 0u, "LB0440")] // magic
    [InlineData(8, 0xFFFFFFFFu, "LB0440")] // billions of tensors
    [InlineData(16, 0xFFFFFFFFu, "LB0440")] // billions of keys
    [InlineData(20, 0x7FFFFFFFu, "LB0440")] // 2^62 keys
    [InlineData(24, 0xFFFFFFFFu, "LB0440")] // the first key's length
    public void A_header_that_lies_is_refused(int offset, uint value, string code)
    {
        using TemporaryFolder folder = new();
        byte[] bad = File.ReadAllBytes(Path.Combine(Folder, "tensors.gguf"));
        BitConverter.TryWriteBytes(bad.AsSpan(offset), value);
        Expect.Diagnostic(code, () => GgufFile.Open(folder.Write("x.gguf", bad)));
    }

    [Fact]
    public void Every_cut_and_every_damaged_byte_ends_in_a_diagnostic_or_a_valid_file()
    {
        byte[] good = File.ReadAllBytes(Path.Combine(Folder, "tensors.gguf"));
        using TemporaryFolder folder = new();
        Random random = new(3);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int round = 0; round < 400; round++)
        {
            byte[] bad = round % 2 == 0 ? good[..random.Next(good.Length - 32)] : (byte[])good.Clone();
            if (round % 2 == 1)
                bad[random.Next(1184)] = (byte)random.Next(256);
            string path = folder.Write("x.gguf", bad);
            try
            {
                using GgufFile file = GgufFile.Open(path);
                Assert.True(round % 2 == 1);
            }
            catch (DiagnosticException)
            {
            }
        }

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / 400, 0, 1_000_000);
    }

    private static GgufKey Key(JsonArray entry)
    {
        string name = (string)entry[0]!, type = (string)entry[1]!;
        if (!type.StartsWith("array:", StringComparison.Ordinal))
            return new GgufKey(name, ValueType(type), Values(type, [entry[2]!]).GetValue(0)!);
        string element = type[6..];
        return new GgufKey(name, GgufValueType.Array, Values(element, [.. entry[2]!.AsArray().Select(v => v!)]), ValueType(element));
    }

    private static GgufValueType ValueType(string name) => Enum.Parse<GgufValueType>(name, ignoreCase: true);

    private static Array Values(string type, JsonNode[] nodes)
    {
        T[] All<T>(Func<string, T> parse) => [.. nodes.Select(n => parse(n.ToJsonString()))];
        IFormatProvider culture = CultureInfo.InvariantCulture;
        return type switch
        {
            "uint8" => All(t => byte.Parse(t, culture)),
            "int8" => All(t => sbyte.Parse(t, culture)),
            "uint16" => All(t => ushort.Parse(t, culture)),
            "int16" => All(t => short.Parse(t, culture)),
            "uint32" => All(t => uint.Parse(t, culture)),
            "int32" => All(t => int.Parse(t, culture)),
            "uint64" => All(t => ulong.Parse(t, culture)),
            "int64" => All(t => long.Parse(t, culture)),
            "float32" => All(t => float.Parse(t, culture)),
            "float64" => All(t => double.Parse(t, culture)),
            "bool" => All(bool.Parse),
            _ => nodes.Select(n => (string)n!).ToArray(),
        };
    }
}
