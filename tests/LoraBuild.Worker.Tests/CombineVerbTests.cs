// `combine` on the command line.
using LoraBuild.Core.Formats;

namespace LoraBuild.Worker.Tests;

public sealed class CombineVerbTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void Two_adapters_become_one_that_merges()
    {
        string model = worker.Model();
        Adapter("one", 2);
        Adapter("two", 3);
        Outcome combined = worker.Run("", "combine", "--adapter", worker.In("one"), "--adapter", worker.In("two"), "--weight", "0.5", "--weight", "-1", "--output", worker.In("both"));
        Assert.True(combined.ExitCode == 0, combined.Error);
        Assert.Equal(5, PeftAdapterConfig.Read(worker.In("both")).R);
        Outcome merged = worker.Run("", "merge", "--model", model, "--adapter", worker.In("both"), "--output", worker.In("merged"));
        Assert.True(merged.ExitCode == 0, merged.Error);
    }

    [Fact]
    public void What_does_not_fit_together_is_told()
    {
        Adapter("one", 2);
        Adapter("two", 3);
        Outcome weights = worker.Run("", "combine", "--adapter", worker.In("one"), "--adapter", worker.In("two"), "--weight", "1", "--output", worker.In("both"));
        Assert.NotEqual(0, weights.ExitCode);
        Assert.Contains("1 --weight for 2 --adapter", weights.Error, StringComparison.Ordinal);
        Outcome ranks = worker.Run("", "combine", "--adapter", worker.In("one"), "--adapter", worker.In("two"), "--method", "linear", "--output", worker.In("both"));
        Assert.Equal(1, ranks.ExitCode);
        Assert.Contains("LB0532", ranks.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(worker.In("both")));
        Assert.Contains("LB0823", worker.Run("", "combine", "--adapter", worker.In("one"), "--adapter", worker.In("none"), "--output", worker.In("both")).Error, StringComparison.Ordinal);
    }

    public void Dispose() => worker.Dispose();

    private void Adapter(string name, int r)
    {
        string directory = worker.In(name);
        Directory.CreateDirectory(directory);
        const string module = "model.layers.0.self_attn.q_proj";
        PeftAdapterFiles.Write(
            directory,
            new PeftAdapterConfig { R = r, LoraAlpha = 2 * r, TargetModules = ["q_proj"] },
            [
                TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfA(module), [r, 32], Enumerable.Range(0, r * 32).Select(i => MathF.Sin(i)).ToArray()),
                TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfB(module), [32, r], Enumerable.Range(0, r * 32).Select(i => MathF.Cos(i) * 0.01f).ToArray()),
            ]);
    }
}
