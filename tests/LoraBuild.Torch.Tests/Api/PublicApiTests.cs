// What stands in our namespace TorchSharp must stand in TorchSharp's own API, letter for letter.
using TorchSharp;

namespace LoraBuild.Torch.Tests.Api;

public sealed class PublicApiTests
{
    [Fact]
    public void Every_visible_member_is_in_TorchSharp()
    {
        string list = Path.Combine(AppContext.BaseDirectory, "Api", "torchsharp-0.106.0.txt");
        IEnumerable<string> ours = ApiLister.Lines(typeof(torch).Assembly, name => name == "TorchSharp" || name.StartsWith("TorchSharp.", StringComparison.Ordinal));
        string[] lines = [.. ours];
        Assert.True(lines.Length > 800, $"only {lines.Length} lines were found");
        Assert.Empty(ApiLister.NotIn(lines, File.ReadLines(list)));
    }
}
