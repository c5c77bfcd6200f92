// The rules of docs/architecture.md, read from the project files and the sources.
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace LoraBuild.EndToEnd.Tests.Architecture;

public sealed partial class LayerTests
{
    [Theory]
    [InlineData("LoraBuild.Core", new string[0])]
    [InlineData("LoraBuild.Torch", new string[0])]
    [InlineData("LoraBuild.Tasks", new string[0])]
    [InlineData("LoraBuild.Engine", new[] { "LoraBuild.Core", "LoraBuild.Torch" })]
    [InlineData("LoraBuild.Worker", new[] { "LoraBuild.Engine" })]
    public void A_project_references_only_the_layers_below(string project, string[] allowed)
    {
        IEnumerable<string> references = Items(project, "ProjectReference").Select(include => Path.GetFileNameWithoutExtension(include.Replace('\\', '/'))).Distinct();
        Assert.Equal(allowed, references.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("LoraBuild.Tasks", new[] { "Microsoft.Build.Framework", "Microsoft.Build.Utilities.Core" })]
    [InlineData("LoraBuild.Core", new[] { "CsvHelper", "Google.Protobuf", "YamlDotNet" })]
    [InlineData("LoraBuild.Torch", new string[0])]
    public void A_layer_has_no_other_packages(string project, string[] allowed) =>
        Assert.Equal(allowed, Items(project, "PackageReference").Where(p => !p.StartsWith("Microsoft.ML.Tokenizers", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("LoraBuild.Core", "TorchSharp")]
    [InlineData("LoraBuild.Core", "LoraBuild.Engine")]
    [InlineData("LoraBuild.Core", "Microsoft.Build")]
    [InlineData("LoraBuild.Torch", "LoraBuild.Core")]
    [InlineData("LoraBuild.Torch", "LoraBuild.Engine")]
    [InlineData("LoraBuild.Engine", "Microsoft.Build")]
    [InlineData("LoraBuild.Engine", "LoraBuild.Worker")]
    [InlineData("LoraBuild.Tasks", "LoraBuild.Core")]
    [InlineData("LoraBuild.Tasks", "LoraBuild.Engine")]
    [InlineData("LoraBuild.Tasks", "TorchSharp")]
    [InlineData("LoraBuild.Tasks", "YamlDotNet")]
    [InlineData("LoraBuild.Core/Formats", "LoraBuild.Core.Models")]
    [InlineData("LoraBuild.Engine/Models", "LoraBuild.Core.Recipes")]
    [InlineData("LoraBuild.Engine/Adapters", "LoraBuild.Core.Recipes")]
    public void Sources_do_not_use_the_namespaces_of_a_layer_above(string folder, string forbidden) =>
        NoLine(folder, line => Using(line.Text) is { } used && (used == forbidden || used.StartsWith(forbidden + ".", StringComparison.Ordinal)));

    [Theory]
    [InlineData("LoraBuild.Core")]
    [InlineData("LoraBuild.Engine")]
    public void Core_and_engine_use_no_console_environment_or_clock(string project) =>
        NoLine(project, line => ProcessState().IsMatch(Code(line.Text)));

    [Fact]
    public void The_tasks_use_no_console_and_no_current_directory() =>
        NoLine("LoraBuild.Tasks", line => Regex.IsMatch(Code(line.Text), @"\b(Console|Directory\.GetCurrentDirectory|Environment\.(CurrentDirectory|GetEnvironmentVariable))\b"));

    [Fact]
    public void The_repository_names_no_remote_package_source() =>
        Assert.Empty(XDocument.Load(Repository.In("NuGet.config")).Descendants("packageSources").Descendants("add"));

    [Fact]
    public void Sdk_files_hold_no_code_and_define_the_six_stages()
    {
        Assert.Empty(Directory.EnumerateFiles(Repository.In("src", "LoraBuild.Sdk"), "*.cs", SearchOption.AllDirectories));
        IEnumerable<string> targets = XDocument.Load(Repository.In("src", "LoraBuild.Sdk", "Sdk", "Sdk.targets")).Descendants("Target").Select(t => t.Attribute("Name")!.Value).Where(name => name[0] != '_');
        Assert.Equal(
            ["ApplyChatTemplate", "Build", "Clean", "EvaluatePerplexity", "ExportGguf", "FetchBaseModel", "MergeAndUnload", "Plan", "PrepareDataset", "Rebuild", "TrainAdapter"],
            targets.Order(StringComparer.Ordinal));
    }

    private static void NoLine(string folder, Predicate<(string Place, string Text)> isForbidden) =>
        Assert.Equal("", string.Join('\n', Lines(folder).Where(line => isForbidden(line)).Select(line => $"{line.Place}: {line.Text.Trim()}")));

    private static IEnumerable<string> Items(string project, string kind) =>
        XDocument.Load(Repository.In("src", project, project + ".csproj")).Descendants(kind).Select(item => item.Attribute("Include")!.Value).Where(include => !include.StartsWith("TorchSharp", StringComparison.Ordinal));

    private static IEnumerable<(string Place, string Text)> Lines(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(Repository.In("src", folder), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            int number = 0;
            foreach (string line in File.ReadLines(file))
                yield return ($"{Path.GetRelativePath(Repository.Root, file)}({++number})", line);
        }
    }

    private static string? Using(string line) => UsingDirective().Match(line) is { Success: true } match ? match.Groups["name"].Value : null;

    /// <summary>Without comments and the words inside strings.</summary>
    private static string Code(string line) => Regex.Replace(Regex.Replace(line, "\"[^\"]*\"", "\"\""), "//.*$", "");

    [GeneratedRegex(@"^\s*(global )?using (static )?(?<name>[A-Za-z_][\w.]*);", RegexOptions.CultureInvariant)]
    private static partial Regex UsingDirective();

    [GeneratedRegex(@"\bConsole\.|\bEnvironment\.(GetEnvironment|CurrentDirectory|Exit)|\bDateTime(Offset)?\.(Utc)?Now\b|\bRandom\.Shared\b|\bnew Random\(\)|\bGuid\.NewGuid\b", RegexOptions.CultureInvariant)]
    private static partial Regex ProcessState();
}
