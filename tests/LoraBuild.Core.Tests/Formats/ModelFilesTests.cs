// Model directories: single files, shards with an index, and what can be wrong with them.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Tests.Formats;

public sealed class ModelFilesTests
{
    private static readonly string Sharded = FormatsGolden.File("llama-sharded");

    [Fact]
    public void A_sharded_model_is_one_set_of_tensors()
    {
        using ModelFiles model = ModelFiles.Open(Sharded);
        Assert.Equal(4, model.Files.Count);
        Assert.Contains("model.embed_tokens.weight", model.Tensors.Keys);
        Assert.EndsWith("model-00004-of-00004.safetensors", model.FileOf("lm_head.weight").Path, StringComparison.Ordinal);
        Assert.Equal(278880, model.Tensors.Values.Sum(t => t.ByteLength)); // total_size of the index
        Assert.Equal(model.Tensors["lm_head.weight"].ElementCount, model.ReadFloat32("lm_head.weight").Length);
    }

    [Fact]
    public void A_directory_without_weights_is_refused()
    {
        using TemporaryFolder folder = new();
        Expect.Diagnostic("LB0406", () => ModelFiles.Open(folder.Path));
        Assert.False(ModelFiles.Exist(folder.Path));
    }

    [Fact]
    public void A_missing_shard_is_named()
    {
        using TemporaryFolder folder = Copy();
        File.Delete(folder.File("model-00003-of-00004.safetensors"));
        Assert.Contains("model-00003-of-00004.safetensors", Expect.Diagnostic("LB0408", () => ModelFiles.Open(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shard_that_was_cut_off_is_named()
    {
        using TemporaryFolder folder = Copy();
        string shard = folder.File("model-00003-of-00004.safetensors");
        File.WriteAllBytes(shard, File.ReadAllBytes(shard)[..^10]);
        Assert.Equal(shard, Expect.Diagnostic("LB0401", () => ModelFiles.Open(folder.Path)).File);
    }

    [Fact]
    public void A_tensor_that_its_shard_lacks_is_named()
    {
        using TemporaryFolder folder = Copy();
        string index = folder.File(ModelFiles.IndexFileName);
        File.WriteAllText(index, File.ReadAllText(index).Replace("\"lm_head.weight\"", "\"lm_tail.weight\"", StringComparison.Ordinal));
        Diagnostic diagnostic = Expect.Diagnostic("LB0409", () => ModelFiles.Open(folder.Path));
        Assert.Contains("lm_tail.weight", diagnostic.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map": {"a": "../secret.safetensors"}}""")]
    [InlineData("""{"weight_map": {"a": "/etc/x.safetensors"}}""")]
    [InlineData("""{"weight_map": {"a": "sub/x.safetensors"}}""")]
    [InlineData("""{"weight_map": {"a": "..\\x.safetensors"}}""")]
    [InlineData("""{"weight_map": {"a": "model.safetensors.index.json"}}""")]
    [InlineData("""{"weight_map": {"a": ".."}}""")]
    [InlineData("""{"weight_map": {"a": 3}}""")]
    [InlineData("""{"weight_map": {"a": null}}""")]
    [InlineData("""{"weight_map": {"a": {"a": "x.safetensors"}}}""")]
    [InlineData("""{"weight_map": {}}""")]
    [InlineData("""{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}""")]
    [InlineData("""{}""")]
    [InlineData("""[]""")]
    [InlineData("""{"weight_map": """)]
    public void An_index_that_leads_elsewhere_or_nowhere_is_refused(string index)
    {
        using TemporaryFolder folder = new();
        string path = folder.Write(ModelFiles.IndexFileName, index);
        Assert.Equal(path, Expect.Diagnostic("LB0407", () => ModelFiles.Open(folder.Path)).File);
    }

    private static TemporaryFolder Copy()
    {
        TemporaryFolder folder = new();
        foreach (string file in Directory.GetFiles(Sharded))
            File.WriteAllBytes(folder.File(Path.GetFileName(file)), File.ReadAllBytes(file));
        return folder;
    }
}
