// Merged weights equal PEFT's merge_and_unload; the merged directory is complete; what cannot be merged leaves nothing behind.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Merging;

namespace LoraBuild.Engine.Tests.Merging;

public sealed class AdapterMergerTests
{
    [Theory]
    [InlineData("llama-tied-qkv-r4", "llama-tied")]
    [InlineData("llama-tied-qkvog-r16", "llama-tied")]
    [InlineData("qwen2-qkv-r64", "qwen2-tied")]
    [InlineData("qwen2-all7-r4-rslora", "qwen2-tied")]
    [InlineData("mistral-qkvog-r16", "mistral-swa")]
    [InlineData("llama-tied-all7-r8-dora", "llama-tied")]
    [InlineData("llama-untied-embed-head-r4", "llama-untied-rope3")]
    public void Merged_weights_equal_PEFTs(string run, string model)
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");

        MergeReport report = AdapterMerger.Merge(Golden.Model(model), Path.Combine(Golden.Lora(run), "adapter_final"), merged);

        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(Golden.Lora(run), "merged.safetensors"));
        using ModelFiles got = ModelFiles.Open(merged);
        using ModelFiles original = ModelFiles.Open(Golden.Model(model));
        foreach (string name in expected.Tensors.Keys)
            AssertNear(expected.ReadFloat32(name), got.ReadFloat32(name), 1e-5f, name);

        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(Path.Combine(Golden.Lora(run), "adapter_final"));
        HashSet<string> touched = [.. adapter.Pairs.Select(p => p.ModulePath + ".weight"), .. adapter.Replacements.Keys];
        foreach (string name in original.Tensors.Keys.Where(n => !touched.Contains(n)))
            Assert.True(original.FileOf(name).GetBytes(name).SequenceEqual(got.FileOf(name).GetBytes(name)), name);
        Assert.Equal(adapter.Pairs.Count, report.ModulesMerged);
        Assert.False(report.IsHeadUntied);
    }

    [Theory]
    [InlineData("llama-tied-embed-head-r4-untied", true)]
    [InlineData("llama-tied-embed-head-r4-kept-tied", false)]
    public void A_tied_head_that_was_trained_on_its_own_is_untied(string run, bool isUntied)
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");

        MergeReport report = AdapterMerger.Merge(Golden.Model("llama-tied"), Path.Combine(Golden.Lora(run), "adapter_final"), merged);

        using PeftAdapterFiles adapter = PeftAdapterFiles.Read(Path.Combine(Golden.Lora(run), "adapter_final"));
        using ModelFiles got = ModelFiles.Open(merged);
        Assert.Equal(isUntied, report.IsHeadUntied);
        Assert.Equal(!isUntied, ModelConfig.Load(merged).TieWordEmbeddings);
        Assert.Equal(isUntied, got.Tensors.ContainsKey("lm_head.weight"));
        foreach ((string name, TensorEntry entry) in adapter.Replacements.Where(r => got.Tensors.ContainsKey(r.Key)))
            Assert.Equal(adapter.Weights.ReadFloat32(entry.Name), got.ReadFloat32(name));
    }

    [Fact]
    public void A_tied_embedding_that_was_trained_on_its_own_leaves_the_head_as_it_was()
    {
        using PeftAdapterFiles golden = PeftAdapterFiles.Read(Path.Combine(Golden.Lora("llama-tied-embed-head-r4-untied"), "adapter_final"));
        using TemporaryDirectory adapter = new();
        PeftAdapterFiles.Write(adapter.Path, golden.Config, [.. golden.Weights.Tensors.Keys.Where(n => !n.Contains("lm_head", StringComparison.Ordinal)).Select(n => TensorToWrite.CopyOf(golden.Weights, n))]);
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");

        Assert.True(AdapterMerger.Merge(Golden.Model("llama-tied"), adapter.Path, merged).IsHeadUntied);

        using ModelFiles original = ModelFiles.Open(Golden.Model("llama-tied"));
        using ModelFiles got = ModelFiles.Open(merged);
        Assert.Equal(original.ReadFloat32("model.embed_tokens.weight"), got.ReadFloat32("lm_head.weight"));
        Assert.NotEqual(original.ReadFloat32("model.embed_tokens.weight"), got.ReadFloat32("model.embed_tokens.weight"));
    }

    [Fact]
    public void All_other_files_are_carried_over()
    {
        using TemporaryDirectory model = Golden.CopyOfModel("llama-tied");
        File.WriteAllText(Path.Combine(model.Path, "tokenizer.json"), "{}");
        File.WriteAllText(Path.Combine(model.Path, "chat_template.jinja"), "{{ x }}");
        File.WriteAllText(Path.Combine(model.Path, "pytorch_model.bin"), "pickle");
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");

        AdapterMerger.Merge(model.Path, Adapter, merged);

        Assert.Equal(
            ["chat_template.jinja", "config.json", "config.v4.json", "generation_config.json", "golden.json", "model.safetensors", "tokenizer.json"],
            Directory.GetFileSystemEntries(merged).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(File.ReadAllBytes(Path.Combine(model.Path, "config.json")), File.ReadAllBytes(Path.Combine(merged, "config.json")));
        Assert.Equal([merged], Directory.GetFileSystemEntries(output.Path));
    }

    [Fact]
    public void Another_dtype_is_rounded_once_and_stands_in_the_config()
    {
        using TemporaryDirectory output = new();
        string full = Path.Combine(output.Path, "full"), half = Path.Combine(output.Path, "half");
        AdapterMerger.Merge(Golden.Model("llama-tied"), Adapter, full);

        AdapterMerger.Merge(Golden.Model("llama-tied"), Adapter, half, new MergeOptions { Dtype = TensorDtype.BF16 });

        using ModelFiles wide = ModelFiles.Open(full);
        using ModelFiles narrow = ModelFiles.Open(half);
        foreach (string name in wide.Tensors.Keys)
        {
            float[] values = wide.ReadFloat32(name);
            byte[] rounded = new byte[values.Length * 2];
            FloatConversion.FromFloat32(TensorDtype.BF16, values, rounded);
            Assert.Equal(rounded, narrow.FileOf(name).GetBytes(name).ToArray());
        }

        Assert.Equal(TensorDtype.BF16, ModelConfig.Load(half).Dtype);
    }

    [Fact]
    public void Shards_are_divided_as_transformers_divides_them()
    {
        using TemporaryDirectory output = new();
        using TemporaryDirectory adapter = EmptyAdapter();
        string merged = Path.Combine(output.Path, "merged");

        MergeReport report = AdapterMerger.Merge(Golden.Model("llama-sharded"), adapter.Path, merged, new MergeOptions { MaxShardSize = 90_000 });

        Assert.Equal(4, report.Shards);
        foreach (string golden in Directory.GetFiles(Golden.Model("llama-sharded"), "model*"))
            Assert.Equal(File.ReadAllBytes(golden), File.ReadAllBytes(Path.Combine(merged, Path.GetFileName(golden))));
    }

    [Fact]
    public void A_full_fine_tuning_replaces_the_weights()
    {
        using TemporaryDirectory trained = new();
        File.Copy(Path.Combine(Golden.Lora("llama-tied-full"), "model_final.safetensors"), Path.Combine(trained.Path, "model.safetensors"));
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");

        MergeReport report = AdapterMerger.Merge(Golden.Model("llama-tied"), trained.Path, merged);

        using ModelFiles expected = ModelFiles.Open(trained.Path);
        using ModelFiles got = ModelFiles.Open(merged);
        Assert.Equal(0, report.ModulesMerged);
        foreach (string name in got.Tensors.Keys)
            Assert.Equal(expected.ReadFloat32(name), got.ReadFloat32(name));
    }

    [Fact]
    public void An_older_merge_is_replaced_and_nothing_of_it_stays()
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");
        AdapterMerger.Merge(Golden.Model("llama-tied"), Adapter, merged, new MergeOptions { MaxShardSize = 100_000 });
        Assert.True(File.Exists(Path.Combine(merged, ModelFiles.IndexFileName)));
        AdapterMerger.Merge(Golden.Model("llama-tied"), Adapter, merged);
        Assert.False(File.Exists(Path.Combine(merged, ModelFiles.IndexFileName)));
        Assert.Single(Directory.GetFiles(merged, "*.safetensors"), f => Path.GetFileName(f) == "model.safetensors" || Path.GetFileName(f) != "golden.safetensors");
    }

    [Fact]
    public void An_adapter_of_another_model_is_refused_and_nothing_is_written()
    {
        using TemporaryDirectory output = new();
        string merged = Path.Combine(output.Path, "merged");
        Assert.Equal("LB0702", Code(() => AdapterMerger.Merge(Golden.Model("qwen2-tied"), Adapter, merged)));
        using TemporaryDirectory adapter = new();
        using PeftAdapterFiles golden = PeftAdapterFiles.Read(Adapter);
        PeftAdapterFiles.Write(adapter.Path, golden.Config, [.. golden.Weights.Tensors.Keys.Select(n => TensorToWrite.CopyOf(golden.Weights, n, n.Replace("layers.0", "layers.7", StringComparison.Ordinal)))]);
        DiagnosticException e = Assert.Throws<DiagnosticException>(() => AdapterMerger.Merge(Golden.Model("llama-tied"), adapter.Path, merged));
        Assert.Equal("LB0701", e.Diagnostics[0].Code);
        Assert.Contains("model.layers.7.self_attn.q_proj", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(output.Path));
    }

    [Fact]
    public void An_output_that_is_something_else_is_not_deleted()
    {
        using TemporaryDirectory other = new();
        File.WriteAllText(Path.Combine(other.Path, "thesis.txt"), "years of work");
        Assert.Equal("LB0703", Code(() => AdapterMerger.Merge(Golden.Model("llama-tied"), Adapter, other.Path)));
        using TemporaryDirectory model = Golden.CopyOfModel("llama-tied");
        Assert.Equal("LB0703", Code(() => AdapterMerger.Merge(model.Path, Adapter, model.Path)));
        Assert.Equal("LB0703", Code(() => AdapterMerger.Merge(model.Path, Adapter, Path.GetDirectoryName(model.Path)!)));
        Assert.True(File.Exists(Path.Combine(other.Path, "thesis.txt")) && File.Exists(Path.Combine(model.Path, "model.safetensors")));
    }

    private static string Adapter => Path.Combine(Golden.Lora("llama-tied-qkv-r4"), "adapter_final");

    private static string Code(Action action) => Assert.Throws<DiagnosticException>(action).Diagnostics[0].Code;

    /// <summary>B = 0: the merged weights are the base's.</summary>
    private static TemporaryDirectory EmptyAdapter()
    {
        TemporaryDirectory adapter = new();
        using ModelFiles model = ModelFiles.Open(Golden.Model("llama-sharded"));
        long[] shape = model.Tensors["model.layers.0.self_attn.q_proj.weight"].Shape;
        const string Module = "model.layers.0.self_attn.q_proj";
        PeftAdapterFiles.Write(
            adapter.Path,
            new PeftAdapterConfig { R = 2, TargetModules = ["q_proj"] },
            [
                TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfA(Module), [2, shape[1]], Enumerable.Repeat(1f, (int)(2 * shape[1])).ToArray()),
                TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfB(Module), [shape[0], 2], new float[2 * shape[0]]),
            ]);
        return adapter;
    }

    private static void AssertNear(float[] expected, float[] got, float tolerance, string name)
    {
        Assert.Equal(expected.Length, got.Length);
        float worst = 0;
        for (int i = 0; i < expected.Length; i++)
            worst = Math.Max(worst, Math.Abs(expected[i] - got[i]));
        Assert.True(worst <= tolerance, $"{name}: {worst}"); // README of the golden runs: merged weights abs 1e-5
    }
}
