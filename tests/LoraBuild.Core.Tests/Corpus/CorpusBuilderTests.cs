// Text for pre-training out of files that every .NET machine has.
using LoraBuild.Core.Corpus;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tests.Corpus;

public sealed class CorpusBuilderTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lorabuild-corpus-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_documentation_file_becomes_one_text_a_type()
    {
        string file = Write("a.xml", """
            <doc><members>
              <member name="T:Shop.Cart`1"><summary>A cart of
                 <see cref="T:Shop.Item"/> values.</summary></member>
              <member name="M:Shop.Cart`1.Add(Shop.Item)"><summary>Adds.</summary><param name="item">What to add.</param><returns><see langword="true"/> when added.</returns></member>
              <member name="T:Shop.Item"><summary>One thing.</summary></member>
              <member name="T:Shop.Empty"><remarks>No summary.</remarks></member>
            </members></doc>
            """);

        Assert.Equal(
            ["Cart: A cart of Item values.\nCart.Add: Adds. item: What to add. Returns: true when added.\n", "Item: One thing.\n"],
            XmlDocumentationText.Read(file));
    }

    [Fact]
    public void A_broken_documentation_file_is_named_with_its_line()
    {
        string file = Write("broken.xml", "<doc><members>\n<member name=\"T:A\"><summary>x</member></members></doc>");

        Diagnostic finding = Assert.Single(Assert.Throws<DiagnosticException>(() => XmlDocumentationText.Read(file)).Diagnostics);

        Assert.Equal(("LB0120", file, 2), (finding.Code, finding.File, finding.Line));
    }

    [Fact]
    public void Korean_sentences_come_out_of_the_sdks_own_satellite_assemblies()
    {
        string dotnetRoot = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../.."));
        string satellite = Directory.GetFiles(Path.Combine(dotnetRoot, "sdk"), "Microsoft.Build.resources.dll", SearchOption.AllDirectories)
            .First(path => path.Contains($"{Path.DirectorySeparatorChar}ko{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

        string text = string.Concat(ResourceText.Read(satellite));

        Assert.True(text.Count(c => c is >= '가' and <= '힣') > 1000);
    }

    [Fact]
    public void A_file_that_is_no_assembly_is_refused()
    {
        string file = Write("not.dll", "text");

        Assert.Equal("LB0121", Assert.Single(Assert.Throws<DiagnosticException>(() => ResourceText.Read(file)).Diagnostics).Code);
    }

    [Fact]
    public void The_same_text_is_written_once_and_the_order_is_the_file_names()
    {
        string b = Write("b.txt", "두 번째 글");
        string a = Write("a.txt", "the first text");
        string again = Write("c.txt", "the first text");
        string output = Path.Combine(folder, "corpus.jsonl");

        CorpusReport report = CorpusBuilder.Write([b, again, a], output, passageLength: 100);

        Assert.Equal(new CorpusReport(Files: 3, Texts: 2, Characters: 20, Duplicates: 1), report);
        Assert.Equal("{\"text\":\"the first text\"}\n{\"text\":\"두 번째 글\"}\n", File.ReadAllText(output));
    }

    [Fact]
    public void A_long_text_is_cut_at_line_ends()
    {
        string file = Write("long.txt", "one\ntwo\n\na line longer than a passage\nthree");
        string output = Path.Combine(folder, "corpus.jsonl");

        CorpusBuilder.Write([file], output, passageLength: 10);

        Assert.Equal(["{\"text\":\"one\\ntwo\"}", "{\"text\":\"a line longer than a passage\"}", "{\"text\":\"three\"}"], File.ReadAllLines(output));
    }

    [Fact]
    public void A_corpus_without_text_is_an_error_and_leaves_no_file()
    {
        string output = Path.Combine(folder, "corpus.jsonl");

        Assert.Equal("LB0122", Assert.Single(Assert.Throws<DiagnosticException>(() => CorpusBuilder.Write([], output, passageLength: 100)).Diagnostics).Code);
        Assert.Empty(Directory.GetFiles(folder));
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
