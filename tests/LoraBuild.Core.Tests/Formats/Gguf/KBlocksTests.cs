// K types: decoded values equal ggml's bits, encoding loses no more than ggml's, and nothing becomes infinite.
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Core.Tests.Formats.Gguf;

public sealed class KBlocksTests
{
    private static readonly string Folder = FormatsGolden.File("gguf", "quant");

    private static readonly GgmlType[] Types = [GgmlType.Q2_K, GgmlType.Q3_K, GgmlType.Q4_K, GgmlType.Q5_K, GgmlType.Q6_K];

    public static TheoryData<string, GgmlType> Cases()
    {
        TheoryData<string, GgmlType> cases = [];
        foreach (JsonNode? one in Manifest())
        {
            foreach (GgmlType type in Types)
            {
                if (one!["types"]![type.ToString()] is not null)
                    cases.Add((string)one["name"]!, type);
            }
        }

        return cases;
    }

    [Fact]
    public void Every_case_with_rows_of_whole_blocks_is_compared() => Assert.Equal(30, Cases().Count);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Decoded_values_equal_ggml_bit_for_bit(string name, GgmlType type)
    {
        float[] expected = Floats($"{name}.{type}.deq.f32.bin");
        float[] values = new float[expected.Length];
        GgmlBlocks.Decode(type, File.ReadAllBytes(Path.Combine(Folder, $"{name}.{type}.bin")), values);
        Assert.Equal(MemoryMarshal.Cast<float, uint>(expected).ToArray(), MemoryMarshal.Cast<float, uint>(values).ToArray());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Encoding_loses_no_more_than_ggml(string name, GgmlType type)
    {
        float[] input = Floats($"{name}.f32.bin");
        double ggml = (double)Manifest().First(c => (string)c!["name"]! == name)!["types"]![type.ToString()]!["rmse"]!;
        double ours = Rmse(input, RoundTrip(type, input));
        Assert.True(ours <= ggml, $"{ours} against {ggml}: {ours / ggml:f4}"); // the README allows 1.05
    }

    [Fact]
    public void Values_near_the_ends_of_fp32_decode_to_finite_values()
    {
        float[] tiny = Floats("tiny.f32.bin");
        foreach (GgmlType type in Types)
        {
            Assert.All(RoundTrip(type, tiny).Zip(tiny), p => Assert.InRange(Math.Abs(p.First - p.Second), 0, 1e-7f));
            Assert.All(RoundTrip(type, new float[256]), v => Assert.Equal(0, v));
            foreach (float size in (float[])[1e-7f, 1e-5f, 1e5f, 1e9f, 3.4e38f])
            {
                float[] values = [.. Enumerable.Range(0, 256).Select(i => size * MathF.Sin(i))];
                float[] back = RoundTrip(type, values);
                Assert.All(back, v => Assert.True(float.IsFinite(v)));
                if (size is >= 1e-5f and <= 1e5f)
                    Assert.InRange(Rmse(values, back) / size, 0, 0.3);
            }
        }
    }

    [Fact]
    public void The_levels_of_evenly_spaced_values_are_found()
    {
        // Multiples of a power of two with the type's own number of levels.
        foreach ((GgmlType type, int lowest, int highest) in ((GgmlType, int, int)[])[(GgmlType.Q2_K, -2, 1), (GgmlType.Q3_K, -4, 3), (GgmlType.Q4_K, -8, 7), (GgmlType.Q5_K, -16, 15), (GgmlType.Q6_K, -32, 31)])
        {
            float[] values = [.. Enumerable.Range(0, 256).Select(i => (lowest + (i * 7 % (highest - lowest + 1))) / 64f)];
            double rmse = Rmse(values, RoundTrip(type, values));
            Assert.True(rmse < 0.1 / 64, $"{type}: {rmse}"); // scales are rounded; codes that miss the levels would cost 0.29 of a step
        }
    }

    [Fact]
    public void A_value_that_is_not_finite_is_refused()
    {
        foreach (GgmlType type in Types)
        {
            foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            {
                float[] values = new float[256];
                values[17] = bad;
                values[200] = 1;
                Assert.Throws<ArgumentException>(() => RoundTrip(type, values));
            }
        }
    }

    private static float[] RoundTrip(GgmlType type, float[] values)
    {
        byte[] bytes = new byte[GgmlTypes.RowBytes(type, values.Length)];
        GgmlBlocks.Encode(type, values, bytes);
        float[] back = new float[values.Length];
        GgmlBlocks.Decode(type, bytes, back);
        return back;
    }

    private static double Rmse(float[] a, float[] b) => Math.Sqrt(a.Zip(b).Average(p => Math.Pow((double)p.First - p.Second, 2)));

    private static JsonArray Manifest() => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "manifest.json")))!["cases"]!.AsArray();

    private static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(Folder, file))).ToArray();
}
