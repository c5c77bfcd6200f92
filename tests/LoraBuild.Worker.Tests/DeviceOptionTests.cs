// --device: what is asked of a machine that has it not.
namespace LoraBuild.Worker.Tests;

public sealed class DeviceOptionTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void A_device_that_is_not_there_is_an_error_that_says_what_is_missing()
    {
        Outcome outcome = worker.Run("", "combine", "--adapter", "none", "--output", "none", "--device", "cuda:63");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("LB0826", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("--device cuda:63: ", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    public void A_device_that_is_none_is_wrong_usage(string device)
    {
        Outcome outcome = worker.Run("", "logits", "--device", device);
        Assert.Equal(2, outcome.ExitCode);
        Assert.Contains("--device must be cpu, cuda, cuda:N or auto", outcome.Error, StringComparison.Ordinal);
    }

    public void Dispose() => worker.Dispose();
}
