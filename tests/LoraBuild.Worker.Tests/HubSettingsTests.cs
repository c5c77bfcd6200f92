// The environment variables of huggingface_hub: where the cache is, who is asked, with which token.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Hub;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Tests;

public sealed class HubSettingsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("lorabuild-hub-").FullName;

    [Theory]
    [InlineData("HOME=/u", "/u/.cache/huggingface/hub")]
    [InlineData("HOME=/u XDG_CACHE_HOME=/x", "/x/huggingface/hub")]
    [InlineData("HOME=/u XDG_CACHE_HOME=/x HF_HOME=/h", "/h/hub")]
    [InlineData("HOME=/u HF_HOME=/h HUGGINGFACE_HUB_CACHE=/old", "/old")]
    [InlineData("HOME=/u HF_HOME=/h HUGGINGFACE_HUB_CACHE=/old HF_HUB_CACHE=/new", "/new")]
    [InlineData("HOME=/u HF_HOME=~/models", "/u/models/hub")]
    [InlineData("USERPROFILE=/w", "/w/.cache/huggingface/hub")]
    [InlineData("HF_HUB_CACHE=here", "/start/here")]
    public void The_cache_is_where_the_environment_says(string variables, string expected) =>
        Assert.Equal(expected, HubSettings.Options(Environment(variables), "/start").CacheDirectory);

    [Fact]
    public void Without_a_home_the_cache_must_be_named() =>
        Assert.Equal("LB0066", Assert.Single(Assert.Throws<DiagnosticException>(() => HubSettings.Options(Environment(""), "/start")).Diagnostics).Code);

    [Fact]
    public void The_caches_are_searched_from_the_nearest_to_the_usual_one() =>
        Assert.Equal(["/new", "/h/hub", "/h"], HubSettings.Caches(Environment("HF_HUB_CACHE=/new HF_HOME=/h HOME=/u")));

    [Fact]
    public void The_token_comes_from_its_variable_else_from_the_file_of_a_login()
    {
        Assert.Null(Options("HF_HOME=" + folder).Token);
        File.WriteAllText(Path.Combine(folder, "token"), "hf_file\n");
        Assert.Equal("hf_file", Options("HF_HOME=" + folder).Token);
        Assert.Equal("hf_one", Options($"HF_HOME={folder} HF_TOKEN=hf_one").Token);
        Assert.Equal("hf_two", Options($"HF_HOME={folder} HUGGING_FACE_HUB_TOKEN=hf_two").Token);
        Assert.Null(Options($"HF_HOME={folder} HF_TOKEN=hf_one HF_HUB_DISABLE_IMPLICIT_TOKEN=1").Token);
        File.WriteAllText(Path.Combine(folder, "other"), "hf_other");
        Assert.Equal("hf_other", Options($"HF_HOME={folder} HF_TOKEN_PATH={folder}/other").Token);
    }

    [Fact]
    public void A_token_that_is_none_is_refused_and_not_shown()
    {
        File.WriteAllText(Path.Combine(folder, "token"), "hf_secret\nX-Other: header");
        DiagnosticException e = Assert.Throws<DiagnosticException>(() => Options("HF_HOME=" + folder));
        Assert.Equal("LB0066", e.Diagnostics[0].Code);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("true", true)]
    [InlineData("0", false)]
    [InlineData("", false)]
    public void Offline_is_what_huggingface_hub_takes_for_true(string value, bool isOffline)
    {
        Assert.Equal(isOffline, Options("HOME=/u HF_HUB_OFFLINE=" + value).IsOffline);
        Assert.Equal(isOffline, Options("HOME=/u TRANSFORMERS_OFFLINE=" + value).IsOffline);
    }

    [Fact]
    public void The_endpoint_may_be_a_mirror_below_a_path()
    {
        Assert.Equal("https://huggingface.co/", Options("HOME=/u").Endpoint.AbsoluteUri);
        Assert.Equal("https://mirror.example/hub", Options("HOME=/u HF_ENDPOINT=https://mirror.example/hub/").Endpoint.AbsoluteUri);
    }

    [Theory]
    [InlineData("mirror.example")]
    [InlineData("ftp://mirror.example")]
    [InlineData("https://user:password@mirror.example")]
    public void An_endpoint_that_is_no_address_is_refused(string endpoint)
    {
        DiagnosticException e = Assert.Throws<DiagnosticException>(() => Options("HOME=/u HF_ENDPOINT=" + endpoint));
        Assert.Equal("LB0066", e.Diagnostics[0].Code);
        Assert.DoesNotContain("password", e.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static HubOptions Options(string variables) => HubSettings.Options(Environment(variables), "/start");

    private static Func<string, string?> Environment(string variables)
    {
        Dictionary<string, string> values = variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToDictionary(v => v.Split('=', 2)[0], v => v.Split('=', 2)[1]);
        return name => values.GetValueOrDefault(name);
    }
}
