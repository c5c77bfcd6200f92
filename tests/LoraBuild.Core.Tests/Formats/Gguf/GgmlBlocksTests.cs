// Block encodings of the simple types equal ggml's bytes, decoded values equal ggml's bits.
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Core.Tests.Formats.Gguf;

public sealed class GgmlBlocksTests
{
    private static readonly string Folder = FormatsGolden.File("gguf", "quant");

    public static TheoryData<string, string> Cases()
    {
        TheoryData<string, string> cases = [];
        JsonObject manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "manifest.json")))!.AsObject();
        foreach (JsonNode? one in manifest["cases"]!.AsArray())
        {
            foreach ((string type, _) in one!["types"]!.AsObject())
            {
                if (!GgmlTypes.IsK(Enum.Parse<GgmlType>(type)))
                    cases.Add((string)one["name"]!, type);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bytes_and_values_equal_ggml(string name, string typeName)
    {
        GgmlType type = Enum.Parse<GgmlType>(typeName);
        float[] input = Floats($"{name}.f32.bin");
        byte[] expected = File.ReadAllBytes(Path.Combine(Folder, $"{name}.{typeName}.bin"));
        float[] expectedValues = Floats($"{name}.{typeName}.deq.f32.bin");

        byte[] bytes = new byte[expected.Length];
        GgmlBlocks.Encode(type, input, bytes);
        float[] values = new float[input.Length];
        GgmlBlocks.Decode(type, expected, values);

        Assert.Equal(MemoryMarshal.Cast<float, uint>(expectedValues).ToArray(), MemoryMarshal.Cast<float, uint>(values).ToArray());
        if (GgmlTypes.Block(type)!.Value.Elements == 1)
        {
            Assert.Equal(expected, bytes);
            return;
        }

        float[] ours = new float[input.Length];
        GgmlBlocks.Decode(type, bytes, ours);
        int blockBytes = GgmlTypes.Block(type)!.Value.Bytes;
        for (int block = 0; block < input.Length / 32; block++)
        {
            ReadOnlySpan<float> x = input.AsSpan(block * 32, 32);
            float largest = 0;
            foreach (float value in x)
                largest = Math.Max(largest, Math.Abs(value));
            if (largest is > 0 and < 1e-36f)
            {
                // 1/d overflows: ggml's bytes are undefined; required is a finite value with error ≤ 1e-7.
                for (int i = 0; i < 32; i++)
                    Assert.InRange(Math.Abs(ours[(block * 32) + i] - x[i]), 0, 1e-7f);
                continue;
            }

            Assert.True(SameBlock(expected.AsSpan(block * blockBytes, blockBytes), bytes.AsSpan(block * blockBytes, blockBytes)), $"block {block}: {Convert.ToHexString(expected.AsSpan(block * blockBytes, blockBytes))} expected, {Convert.ToHexString(bytes.AsSpan(block * blockBytes, blockBytes))} got");
        }
    }

    [Fact]
    public void A_row_that_is_no_whole_number_of_blocks_is_refused()
    {
        Assert.Equal(68, GgmlTypes.RowBytes(GgmlType.Q8_0, 64));
        Assert.Throws<ArgumentException>(() => GgmlTypes.RowBytes(GgmlType.Q8_0, 48));
    }

    /// <summary>The sign of a zero scale may differ (README).</summary>
    private static bool SameBlock(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> got)
    {
        bool isZeroScale = expected[0] == 0 && (expected[1] & 0x7F) == 0 && got[0] == 0 && (got[1] & 0x7F) == 0;
        return expected[(isZeroScale ? 2 : 0)..].SequenceEqual(got[(isZeroScale ? 2 : 0)..]);
    }

    private static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(Folder, file))).ToArray();
}
