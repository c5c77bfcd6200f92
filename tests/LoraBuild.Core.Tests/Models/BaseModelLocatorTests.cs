// Where a model's name leads: a directory, a snapshot in a cache, or an error with the mend.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Models;

public sealed class BaseModelLocatorTests : IDisposable
{
    private const string First = "0123456789abcdef0123456789abcdef01234567";
    private const string Second = "89abcdef0123456789abcdef0123456789abcdef";
    private readonly string folder = Directory.CreateTempSubdirectory("locator-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_directory_with_a_config_is_itself()
    {
        Write("model/config.json", "{}");
        Assert.Equal(At("model"), BaseModelLocator.Locate(At("model"), []));
        Assert.Equal(At("model"), BaseModelLocator.Locate(At("x/../model") + "/", [], requiredFile: "config.json"));
    }

    [Theory]
    [InlineData("org/name", First)]
    [InlineData("org/name@main", First)]
    [InlineData("org/name@v2", Second)]
    [InlineData("org/name@refs/pr/1", Second)]
    [InlineData("org/name@" + Second, Second)]
    public void A_hub_id_leads_to_the_snapshot_of_its_revision(string name, string commit)
    {
        WriteCache();
        Assert.Equal(At($"hub/models--org--name/snapshots/{commit}"), BaseModelLocator.Locate(name, [At("hub")]));
        Assert.Equal(At($"hub/models--org--name/snapshots/{commit}"), BaseModelLocator.Locate(name, [At("none"), folder]));
    }

    [Fact]
    public void An_id_without_organisation_is_found_too()
    {
        Write("models--gpt2/refs/main", First + "\n");
        Write($"models--gpt2/snapshots/{First}/config.json", "{}");
        Assert.EndsWith(First, BaseModelLocator.Locate("gpt2", [folder]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_needs_no_model()
    {
        Write("tokenizer/tokenizer.json", "{}");
        Assert.Equal(At("tokenizer"), BaseModelLocator.Locate(At("tokenizer"), [], requiredFile: "tokenizer.json"));
    }

    [Fact]
    public void A_model_that_is_nowhere_gives_the_command_that_fetches_it()
    {
        Diagnostic found = Fails("google/gemma-3-4b-it@v1", "LB0051");
        Assert.Equal(
            $"the model google/gemma-3-4b-it@v1 is neither a directory nor in a Hugging Face cache (searched: {At("hub")}). Fetch it with: hf download google/gemma-3-4b-it --revision v1 (older: huggingface-cli download …). Or give a directory: -p:BaseModel=DIR in a build, --set base.model=DIR on the command line.",
            found.Message);
        Assert.Equal(("recipe.yaml", 3, 4), (found.File, found.Line, found.Column));
        Assert.Contains("searched: no cache", Assert.Throws<DiagnosticException>(() => BaseModelLocator.Locate("org/name", [])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_that_is_no_model_is_an_error_that_names_the_one_inside()
    {
        Directory.CreateDirectory(At("empty"));
        Assert.Equal($"{At("empty")} holds no config.json, so it is not a model in Hugging Face's form.", Fails(At("empty"), "LB0052").Message);
        Write("outer/inner/config.json", "{}");
        Assert.EndsWith($"Did you mean {At("outer/inner")}?", Fails(At("outer"), "LB0052").Message, StringComparison.Ordinal);
        Assert.StartsWith($"the model's directory {At("absent")} does not exist. Fetch one there with: hf download ORG/NAME --local-dir {At("absent")} ", Fails(At("absent"), "LB0052").Message, StringComparison.Ordinal);
        Assert.StartsWith("the model's directory ./absent does not exist. ", Fails("./absent", "LB0052").Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b/c")]
    [InlineData("org/../name")]
    [InlineData("org/name--x")]
    [InlineData("org/name.")]
    [InlineData("org name")]
    [InlineData("-org/name")]
    [InlineData("org/name@")]
    [InlineData("org/name@../../secret")]
    [InlineData("org/name@/etc")]
    [InlineData("org/name@a b")]
    [InlineData("org/name\n")]
    public void What_is_no_name_is_refused_and_leads_nowhere(string name) => Fails(name, "LB0053");

    [Fact]
    public void A_cache_without_the_revision_or_with_an_unfinished_download_says_so()
    {
        WriteCache();
        Assert.StartsWith("the cache holds org/name, but not revision v9 with its config.json", Fails("org/name@v9", "LB0054").Message, StringComparison.Ordinal);
        File.Delete(At($"hub/models--org--name/snapshots/{First}/config.json"));
        Assert.Contains("Fetch it with: hf download org/name (", Fails("org/name", "LB0054").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reference_that_points_out_of_the_cache_is_not_followed()
    {
        Write("hub/models--org--name/refs/main", "../../../outside");
        Write("outside/config.json", "{}");
        Fails("org/name", "LB0054");
    }

    private string At(string path) => Path.Combine(folder, path);

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllText(At(path), text);
    }

    private void WriteCache()
    {
        Write("hub/models--org--name/refs/main", First);
        Write("hub/models--org--name/refs/v2", Second);
        Write("hub/models--org--name/refs/refs/pr/1", Second);
        Write($"hub/models--org--name/snapshots/{First}/config.json", "{}");
        Write($"hub/models--org--name/snapshots/{Second}/config.json", "{}");
    }

    private Diagnostic Fails(string name, string code)
    {
        Diagnostic found = Assert.Single(Assert.Throws<DiagnosticException>(() => BaseModelLocator.Locate(name, [At("hub")], new RecipePlace("recipe.yaml", 3, 4))).Diagnostics);
        Assert.Equal(code, found.Code);
        return found;
    }
}
