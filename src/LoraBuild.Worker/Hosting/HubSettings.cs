// What the environment says about the hub: the variables of huggingface_hub, read as it reads them.
using System.Net;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Hub;

namespace LoraBuild.Worker.Hosting;

internal static class HubSettings
{
    private static readonly string[] Truths = ["1", "ON", "YES", "TRUE"];

    /// <summary>The caches that are searched for models: the one that is written to, then the one under HF_HOME.</summary>
    public static IReadOnlyList<string> Caches(Func<string, string?> environment) =>
        [.. new[] { CacheVariable(environment), Home(environment) is { } home ? Path.Combine(home, "hub") : null, Home(environment) }.OfType<string>().Distinct(StringComparer.Ordinal)];

    /// <param name="currentDirectory">A relative path in the environment starts there.</param>
    /// <exception cref="DiagnosticException">LB0066: no place for the cache, or HF_ENDPOINT or the token cannot be what they should be.</exception>
    public static HubOptions Options(Func<string, string?> environment, string currentDirectory) => new()
    {
        CacheDirectory = Path.GetFullPath(Caches(environment) is [string cache, ..] ? cache : throw new DiagnosticException("LB0066", "there is no home directory to put the cache of models into. Set HF_HOME=DIR."), currentDirectory),
        Endpoint = Endpoint(environment),
        Token = Token(environment),
        IsOffline = IsTrue(environment, "HF_HUB_OFFLINE") || IsTrue(environment, "TRANSFORMERS_OFFLINE"),
    };

    /// <summary>Redirects are followed by hand (the token must not follow them); HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY count.</summary>
    public static HttpMessageInvoker CreateClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = true,
        ConnectTimeout = TimeSpan.FromSeconds(20),
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
    });

    private static string? CacheVariable(Func<string, string?> environment) => Directory(environment, "HF_HUB_CACHE") ?? Directory(environment, "HUGGINGFACE_HUB_CACHE");

    /// <summary>HF_HOME, else <c>huggingface</c> in XDG_CACHE_HOME, else in ~/.cache.</summary>
    private static string? Home(Func<string, string?> environment)
    {
        if (Directory(environment, "HF_HOME") is { } home)
            return home;
        if (Directory(environment, "XDG_CACHE_HOME") is { } cache)
            return Path.Combine(cache, "huggingface");
        return UserHome(environment) is { } user ? Path.Combine(user, ".cache", "huggingface") : null;
    }

    private static Uri Endpoint(Func<string, string?> environment)
    {
        if (environment("HF_ENDPOINT") is not { Length: > 0 } text)
            return HubOptions.DefaultEndpoint;
        bool isAddress = Uri.TryCreate(text.Trim().TrimEnd('/'), UriKind.Absolute, out Uri? endpoint) && endpoint.Scheme is "http" or "https" && endpoint!.UserInfo.Length == 0 && endpoint.Query.Length == 0;
        return isAddress
            ? endpoint!
            : throw new DiagnosticException("LB0066", "HF_ENDPOINT is not the address of a hub. It must look like https://huggingface.co, without a user name or a query; leave it unset for that one.");
    }

    private static string? Token(Func<string, string?> environment)
    {
        if (IsTrue(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN"))
            return null;
        (string? text, string source) = (environment("HF_TOKEN") ?? environment("HUGGING_FACE_HUB_TOKEN"), "HF_TOKEN");
        if (string.IsNullOrWhiteSpace(text))
        {
            string? file = Directory(environment, "HF_TOKEN_PATH") ?? (Home(environment) is { } home ? Path.Combine(home, "token") : null);
            if (file is null || !File.Exists(file))
                return null;
            (text, source) = (File.ReadAllText(file), file);
        }

        string token = text.Trim();
        if (token.Length == 0)
            return null;
        return token.All(c => c is > ' ' and <= '~')
            ? token
            : throw new DiagnosticException("LB0066", $"the token in {source} holds characters that no token has (it is not shown here). Copy it again, alone on one line.");
    }

    private static string? Directory(Func<string, string?> environment, string name)
    {
        if (environment(name) is not { Length: > 0 } path)
            return null;
        return path == "~" || path.StartsWith("~/", StringComparison.Ordinal) ? UserHome(environment) is { } home ? home + path[1..] : path : path;
    }

    private static string? UserHome(Func<string, string?> environment) =>
        environment("HOME") is { Length: > 0 } home ? home : environment("USERPROFILE") is { Length: > 0 } profile ? profile : null;

    private static bool IsTrue(Func<string, string?> environment, string name) => environment(name) is { } text && Truths.Contains(text.ToUpperInvariant());
}
