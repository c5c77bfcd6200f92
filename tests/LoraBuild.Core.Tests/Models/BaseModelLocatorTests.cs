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
        Assert.Equal(new LocatedModel(At("model")), BaseModelLocator.Locate(At("model"), []));
        Assert.Equal(At("model"), BaseModelLocator.Locate(At("x/../model") + "/", []).Directory);
    }

    [Theory]
    [InlineData("org/name", First)]
    [InlineData("org/name@main", First)]
    [InlineData("org/name@v2", Second)]
    [InlineData("org/name@refs/pr/1", Second)]
    [InlineData("org/name@" + Second, Second)]
    [InlineData("org/name@89abcde", Second)]
    public void A_hub_id_leads_to_the_snapshot_of_its_revision(string name, string commit)
    {
        WriteCache();
        LocatedModel expected = new(At($"hub/models--org--name/snapshots/{commit}"), "org/name", name.Contains('@') ? name.Split('@')[1] : "main", commit);
        Assert.Equal(expected, BaseModelLocator.Locate(name, [At("hub")]));
        Assert.Equal(expected, BaseModelLocator.Locate(name, [At("none"), folder]));
    }

    [Fact]
    public void An_id_without_organisation_is_found_too()
    {
        Write("models--gpt2/refs/main", First + "\n");
        Write($"models--gpt2/snapshots/{First}/config.json", "{}");
        Write($"models--gpt2/snapshots/{First}/model.safetensors", "");
        Assert.EndsWith(First, BaseModelLocator.Locate("gpt2", [folder]).Directory, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_needs_no_model()
    {
        Write("tokenizer/tokenizer.json", "{}");
        Assert.Equal(At("tokenizer"), BaseModelLocator.Locate(At("tokenizer"), [], content: ModelContent.Tokenizer).Directory);
    }

    [Fact]
    public void A_model_that_is_nowhere_gives_the_command_that_fetches_it()
    {
        Diagnostic found = Fails("google/gemma-3-4b-it@v1", "LB0051");
        Assert.Equal(
            $"the model google/gemma-3-4b-it@v1 is neither a directory nor in a Hugging Face cache (searched: {At("hub")}). Fetch it with: lorabuild fetch google/gemma-3-4b-it@v1 (a build does so itself with -p:FetchModels=true). Or give a directory: -p:BaseModel=DIR in a build, --set base.model=DIR on the command line.",
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
        Assert.StartsWith($"the model's directory {At("absent")} does not exist. Name another one, or a hub id (org/name), which can be fetched with: lorabuild fetch org/name. ", Fails(At("absent"), "LB0052").Message, StringComparison.Ordinal);
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
    public void A_cache_without_the_revision_says_so()
    {
        WriteCache();
        Assert.StartsWith("the cache holds org/name, but not revision v9 (searched: ", Fails("org/name@v9", "LB0054").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_short_commit_that_two_snapshots_begin_with_is_none()
    {
        WriteCache();
        Write($"hub/models--org--name/snapshots/{Second[..39]}0/config.json", "{}");
        Fails("org/name@89abcde", "LB0054");
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("model.safetensors")]
    public void An_unfinished_download_names_what_is_missing(string file)
    {
        WriteCache();
        File.Delete(At($"hub/models--org--name/snapshots/{First}/{file}"));
        Assert.StartsWith($"the cache holds org/name, but not all of it: {file} is missing in {At($"hub/models--org--name/snapshots/{First}")}. Fetch it with: lorabuild fetch org/name (", Fails("org/name", "LB0055").Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_that_are_missing_are_named_and_so_are_links_that_lead_nowhere()
    {
        WriteCache();
        string snapshot = $"hub/models--org--name/snapshots/{First}/";
        File.Delete(At(snapshot + "model.safetensors"));
        Write(snapshot + "model.safetensors.index.json", """{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-3.safetensors"}}""");
        Write(snapshot + "m-2.safetensors", "");
        File.CreateSymbolicLink(At(snapshot + "m-3.safetensors"), "../../blobs/gone");
        Assert.Contains("m-1.safetensors, m-3.safetensors are missing", Fails("org/name", "LB0055").Message, StringComparison.Ordinal);
        Assert.Equal(At(snapshot.TrimEnd('/')), BaseModelLocator.Locate("org/name", [At("hub")], content: ModelContent.Shape).Directory);
        Write(snapshot + "m-1.safetensors", "");
        File.Delete(At(snapshot + "m-3.safetensors"));
        Write(snapshot + "m-3.safetensors", "");
        Assert.Equal(First, BaseModelLocator.Locate("org/name", [At("hub")]).Commit);
    }

    [Fact]
    public void A_whole_model_in_a_later_cache_is_preferred_to_an_unfinished_one()
    {
        WriteCache();
        Write("first/models--org--name/refs/main", First);
        Write($"first/models--org--name/snapshots/{First}/config.json", "{}");
        Assert.StartsWith(At("hub"), BaseModelLocator.Locate("org/name", [At("first"), At("hub")]).Directory, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_inside_a_cache_knows_its_id_and_commit()
    {
        WriteCache();
        string snapshot = At($"hub/models--org--name/snapshots/{First}");
        Assert.Equal(new LocatedModel(snapshot, "org/name", null, First), BaseModelLocator.Locate(snapshot, []));
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
        Write($"hub/models--org--name/snapshots/{First}/model.safetensors", "");
        Write($"hub/models--org--name/snapshots/{Second}/model.safetensors", "");
    }

    private Diagnostic Fails(string name, string code)
    {
        Diagnostic found = Assert.Single(Assert.Throws<DiagnosticException>(() => BaseModelLocator.Locate(name, [At("hub")], new RecipePlace("recipe.yaml", 3, 4))).Diagnostics);
        Assert.Equal(code, found.Code);
        return found;
    }
}
