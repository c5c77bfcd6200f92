// The types of a mix's tensors equal those that llama-quantize gives, for every number of layers of the golden table.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Core.Tests.Formats.Gguf;

public sealed class GgufMixTests
{
    public static TheoryData<string> Mixes() => [.. GgufMix.All.Where(m => GgmlTypes.Block(m.Main)!.Value.Elements > 1).Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Mixes))]
    public void Every_tensor_has_the_type_that_llama_quantize_gives_it(string name)
    {
        JsonObject table = JsonNode.Parse(File.ReadAllText(FormatsGolden.File("gguf", "quant_mix.json")))![name.ToUpperInvariant()]!.AsObject();
        GgufMix mix = GgufMix.Find(name)!;
        foreach ((string layersText, JsonNode? expected) in table)
        {
            int layers = int.Parse(layersText, System.Globalization.CultureInfo.InvariantCulture);
            GgufModelShape model = new("llama", layers, 4, 2, HasOutput: true);
            foreach ((string tensor, JsonNode? type) in expected!["global"]!.AsObject())
                Assert.Equal((string)type!, mix.TypeOf(tensor, 256, model).ToString());
            foreach ((string tensor, JsonNode? type) in expected["layers"]!.AsObject())
            {
                for (int layer = 0; layer < layers; layer++)
                {
                    string wanted = type is JsonObject byType ? byType.First(t => t.Value!.AsArray().Any(l => (int)l! == layer)).Key : (string)type!;
                    Assert.Equal(wanted, mix.TypeOf($"blk.{layer}.{tensor}", 256, model).ToString());
                }
            }
        }
    }

    [Theory]
    [InlineData("q2_k", "blk.0.attn_q.weight", 96, GgmlType.Q4_0)]
    [InlineData("q3_k_m", "blk.0.attn_q.weight", 96, GgmlType.Q4_0)]
    [InlineData("q4_k_m", "blk.5.attn_q.weight", 96, GgmlType.Q5_0)]
    [InlineData("q5_k_m", "blk.5.attn_q.weight", 96, GgmlType.Q5_1)]
    [InlineData("q6_k", "blk.5.attn_q.weight", 96, GgmlType.Q8_0)]
    [InlineData("q4_k_m", "output.weight", 96, GgmlType.Q8_0)]
    [InlineData("q4_0", "output.weight", 96, GgmlType.Q8_0)]
    [InlineData("q4_k_m", "token_embd.weight", 96, GgmlType.Q5_0)]
    [InlineData("q4_k_m", "blk.0.attn_q.weight", 50, GgmlType.F16)]
    [InlineData("q8_0", "output.weight", 50, GgmlType.F16)]
    [InlineData("bf16", "output.weight", 50, GgmlType.BF16)]
    public void Rows_into_which_blocks_do_not_fit_fall_back(string name, string tensor, int columns, GgmlType expected) =>
        Assert.Equal(expected, GgufMix.Find(name)!.TypeOf(tensor, columns, new GgufModelShape("llama", 32, 4, 4, HasOutput: true)));

    [Theory]
    [InlineData("q4_k_m", 80, 64, 8, "llama", GgmlType.Q5_K)]
    [InlineData("q4_k_m", 80, 64, 8, "qwen2", GgmlType.Q5_K)]
    [InlineData("q4_k_m", 80, 64, 64, "llama", GgmlType.Q4_K)] // 65B
    [InlineData("q4_k_m", 64, 64, 8, "llama", GgmlType.Q4_K)]
    [InlineData("q3_k_s", 80, 64, 8, "llama", GgmlType.Q5_K)]
    [InlineData("q4_0", 80, 64, 8, "llama", GgmlType.Q4_0)]
    [InlineData("q2_k", 32, 32, 8, "llama", GgmlType.Q4_K)]
    [InlineData("q2_k", 32, 32, 16, "llama", GgmlType.Q3_K)]
    public void Values_that_many_heads_share_get_more_bits(string name, int layers, int heads, int keyValueHeads, string architecture, GgmlType expected) =>
        Assert.Equal(expected, GgufMix.Find(name)!.TypeOf("blk.11.attn_v.weight", 4096, new GgufModelShape(architecture, layers, heads, keyValueHeads, HasOutput: true)));

    [Fact]
    public void Names_are_found_in_either_case_and_the_short_ones_mean_medium()
    {
        Assert.Equal(15u, GgufMix.Find("Q4_K_M")!.FileType);
        Assert.Equal("q5_k_m", GgufMix.Find("q5_k")!.Name);
        Assert.Null(GgufMix.Find("q2_k_s")); // llama-quantize refuses it without an importance matrix
        Assert.Null(GgufMix.Find("iq4_nl"));
        Assert.Equal(GgufMix.All.Count, GgufMix.All.Select(m => m.FileType).Distinct().Count());
    }
}
