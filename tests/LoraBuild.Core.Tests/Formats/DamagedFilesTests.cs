// Whatever is wrong with a file, it is told in under a second and under 100 MB, and nothing else happens.
using System.Buffers.Binary;
using System.Text;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class DamagedFilesTests : IDisposable
{
    private const long MaxAllocated = 100_000_000;
    private static readonly string Sharded = FormatsGolden.File("llama-sharded");

    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> Headers() =>
    [
        // length given, text
        $"{ulong.MaxValue}|{{}}", $"{1UL << 40}|{{}}", "99999999|{}", "3|{}", "0|", "2|[]", "2|{x",
        Header("""{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}"""), // a million million elements in four bytes
        Header("""{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4]}}"""), // no long holds the product
        Header("""{"a":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,4]}}"""), // nor the bytes
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8796093022208]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[9223372036854775807,9223372036854775807]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551615,4]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"""),
        Header("""{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,4]}}"""), // another type than its bytes
        Header("""{"a":{"dtype":"Q4_K","shape":[1],"data_offsets":[0,4]}}"""),
        Header("""{"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}}"""),
        Header("""{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"F16","shape":[1],"data_offsets":[2,4]}}"""), // overlap
        Header("""{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}"""), // hole
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"F16"}}"""),
        Header("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1]}}"""),
        Header("""{"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}"""),
        Header("""{"__metadata__":{"a":{"b":"c"}},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"""),
        Header("{\"a\":" + new string('[', 50_000)),
        Header("{\"a\":{\"dtype\":\"F32\",\"shape\":[" + string.Join(',', Enumerable.Repeat("1", 100_000)) + "],\"data_offsets\":[0,4]}}"),
        Header("{\"" + new string('a', 1_000_000)),
    ];

    [Theory]
    [MemberData(nameof(Headers))]
    public void A_safetensors_header_that_lies_is_refused(string header)
    {
        int bar = header.IndexOf('|', StringComparison.Ordinal);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, ulong.Parse(header[..bar], System.Globalization.CultureInfo.InvariantCulture));
        string path = folder.Write("x.safetensors", [.. length, .. Encoding.UTF8.GetBytes(header[(bar + 1)..]), 0, 0, 0, 0]);
        Refused("LB040", () => SafetensorsFile.Open(path).Dispose());
    }

    [Fact]
    public void A_safetensors_file_that_was_cut_off_anywhere_is_refused()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Sharded, "model-00002-of-00004.safetensors"));
        int header = 8 + (int)BitConverter.ToInt64(whole);
        foreach (int length in Enumerable.Range(0, 40).Select(i => i * header / 40).Concat([header, header + 1, whole.Length / 2, whole.Length - 1]))
        {
            string path = folder.Write("x.safetensors", whole[..length]);
            Refused("LB040", () => SafetensorsFile.Open(path).Dispose());
        }

        string longer = folder.Write("x.safetensors", [.. whole, 0]);
        Refused("LB0401", () => SafetensorsFile.Open(longer).Dispose());
    }

    [Fact]
    public void A_flipped_byte_of_a_header_is_refused_or_changes_a_name_but_never_more()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Sharded, "model-00001-of-00004.safetensors"));
        int header = 8 + (int)BitConverter.ToInt64(whole);
        Random random = new(5);
        int refused = 0;
        for (int i = 0; i < 400; i++)
        {
            byte[] damaged = [.. whole];
            damaged[random.Next(header)] ^= (byte)(1 << random.Next(8));
            string path = folder.Write("x.safetensors", damaged);
            try
            {
                using SafetensorsFile file = SafetensorsFile.Open(path);
                Assert.Equal(whole.Length, header + file.Tensors.Values.Sum(t => t.ByteLength));
            }
            catch (DiagnosticException e)
            {
                Assert.StartsWith("LB040", e.Diagnostics[0].Code, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.InRange(refused, 200, 400);
    }

    [Theory]
    [InlineData("../model-00001-of-00004.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..\\\\x.safetensors")]
    [InlineData("sub/model.safetensors")]
    [InlineData("model.safetensors.index.json")] // itself
    [InlineData(".")]
    [InlineData("")]
    [InlineData("a\\u0000.safetensors")]
    [InlineData("pytorch_model.bin")]
    public void An_index_that_points_elsewhere_is_refused(string shard)
    {
        folder.Write(ModelFiles.IndexFileName, "{\"weight_map\":{\"a\":\"" + shard + "\"}}");
        Refused("LB0407", () => ModelFiles.Open(folder.Path).Dispose());
    }

    [Theory]
    [InlineData("""{"weight_map":[]}""")]
    [InlineData("""{"weight_map":{}}""")]
    [InlineData("""{"weight_map":{"a":{"b":"c"}}}""")]
    [InlineData("""{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}""")]
    [InlineData("""{"weight_map":{"a":""")]
    [InlineData("[]")]
    [InlineData("")]
    public void An_index_that_is_none_is_refused(string json)
    {
        folder.Write(ModelFiles.IndexFileName, json);
        Refused("LB0407", () => ModelFiles.Open(folder.Path).Dispose());
    }

    [Fact]
    public void A_shard_that_is_a_link_to_itself_or_a_directory_is_refused()
    {
        folder.Write(ModelFiles.IndexFileName, """{"weight_map":{"a":"a.safetensors"}}""");
        if (!OperatingSystem.IsWindows())
        {
            File.CreateSymbolicLink(folder.File("a.safetensors"), folder.File("b.safetensors"));
            File.CreateSymbolicLink(folder.File("b.safetensors"), folder.File("a.safetensors"));
            Refused("LB040", () => ModelFiles.Open(folder.Path).Dispose());
            File.Delete(folder.File("a.safetensors"));
        }

        Directory.CreateDirectory(folder.File("a.safetensors"));
        Refused("LB0408", () => ModelFiles.Open(folder.Path).Dispose());
    }

    [Fact]
    public void Files_far_too_large_are_not_read()
    {
        foreach ((string name, string code, Action open) in new (string, string, Action)[]
        {
            ("config.json", "LB0410", () => ModelConfig.Load(folder.Path)),
            (PeftAdapterConfig.FileName, "LB0420", () => PeftAdapterConfig.Read(folder.Path)),
            (ModelFiles.IndexFileName, "LB0407", () => ModelFiles.Open(folder.Path).Dispose()),
        })
        {
            using (FileStream file = File.Create(folder.File(name)))
                file.SetLength(10_000_000_000); // sparse
            Refused(code, open);
            File.Delete(folder.File(name));
        }
    }

    [Theory]
    [InlineData("\"hidden_size\":1000000000000")]
    [InlineData("\"num_hidden_layers\":1000000000")]
    [InlineData("\"num_hidden_layers\":100000")]
    [InlineData("\"vocab_size\":-5")]
    [InlineData("\"layer_types\":[\"full_attention\"]")]
    [InlineData("\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":\"x\"}")]
    [InlineData("\"architectures\":[[[]]]")]
    [InlineData("\"eos_token_id\":[1,\"2\"]")]
    [InlineData("\"num_attention_heads\":null,\"hidden_size\":true")]
    public void A_config_with_impossible_values_is_refused(string entry)
    {
        string name = entry.Split('"')[1];
        string rest = string.Join(',', new[] { "\"hidden_size\":64", "\"intermediate_size\":96", "\"num_hidden_layers\":2", "\"num_attention_heads\":4", "\"vocab_size\":100" }.Where(e => !entry.Contains(e.Split(':')[0], StringComparison.Ordinal)));
        folder.Write("config.json", $"{{\"model_type\":\"llama\",{rest},{entry}}}");
        Assert.NotEmpty(name);
        Refused("LB0411", () => ModelConfig.Load(folder.Path));
    }

    [Fact]
    public void A_config_or_adapter_config_that_was_cut_off_anywhere_is_refused()
    {
        foreach ((string source, string name, string code, Action open) in new (string, string, string, Action)[]
        {
            (FormatsGolden.File("configs", "gemma3-mm", "config.json"), "config.json", "LB0410", () => ModelConfig.Load(folder.Path)),
            (FormatsGolden.File("adapters", "llama-tied-qkv-r4", PeftAdapterConfig.FileName), PeftAdapterConfig.FileName, "LB0420", () => PeftAdapterConfig.Read(folder.Path)),
        })
        {
            string whole = File.ReadAllText(source).TrimEnd();
            for (int length = 0; length < whole.Length; length += 37)
            {
                folder.Write(name, whole[..length]);
                Refused(code, open);
            }

            folder.Write(name, new string('{', 100_000));
            Refused(code, open);
            folder.Write(name, "{\"a\":" + new string('[', 100_000));
            Refused(code, open);
        }
    }

    [Theory]
    [InlineData("\"r\":1073741824", "LB0423")]
    [InlineData("\"r\":99999999999", "LB0421")]
    [InlineData("\"r\":2,\"rank_pattern\":{\"(q_proj\":2}", "LB0421")]
    [InlineData("\"r\":2,\"rank_pattern\":{\"((.*)*)*x\":2}", "LB0421")] // takes forever to fail
    [InlineData("\"r\":2,\"target_modules\":{\"a\":1}", "LB0421")]
    [InlineData("\"r\":2,\"trainable_token_indices\":[-7]", "LB0421")]
    public void An_adapter_config_that_does_not_fit_is_refused(string entry, string code)
    {
        folder.Write(PeftAdapterConfig.FileName, $"{{\"peft_type\":\"LORA\",{entry}}}");
        const string Module = "model.layers.0.self_attn.q_proj";
        SafetensorsWriter.Write(folder.File(PeftAdapterFiles.WeightsFileName),
        [
            TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfA(Module), [2, 4], new float[8]),
            TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfB(Module), [4, 2], new float[8]),
        ]);
        Refused(code, () => PeftAdapterFiles.Read(folder.Path).Dispose());
    }

    [Fact]
    public void Adapter_weights_that_were_cut_off_are_refused()
    {
        string source = FormatsGolden.File("adapters", "llama-tied-qkv-r4");
        File.Copy(Path.Combine(source, PeftAdapterConfig.FileName), folder.File(PeftAdapterConfig.FileName));
        byte[] whole = File.ReadAllBytes(Path.Combine(source, PeftAdapterFiles.WeightsFileName));
        for (int length = 0; length < whole.Length; length += Math.Max(1, whole.Length / 25))
        {
            folder.Write(PeftAdapterFiles.WeightsFileName, whole[..length]);
            Refused("LB040", () => PeftAdapterFiles.Read(folder.Path).Dispose());
        }
    }

    public void Dispose() => folder.Dispose();

    private static string Header(string json) => $"{Encoding.UTF8.GetByteCount(json)}|{json}";

    /// <summary>The call fails with a code that begins so, in time and memory.</summary>
    private static void Refused(string code, Action open)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        DiagnosticException error = Assert.Throws<DiagnosticException>(open);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        TimeSpan taken = Prompt.BestOf(() => Assert.Throws<DiagnosticException>(open));
        Assert.All(error.Diagnostics, d => Assert.StartsWith(code, d.Code, StringComparison.Ordinal));
        Assert.True(error.Message.Length < 5000, $"a message of {error.Message.Length} characters");
        Assert.True(taken < Prompt.MaxTime, $"{taken} for {error.Message}");
        Assert.True(allocated < MaxAllocated, $"{allocated} bytes for {error.Message}");
    }
}
