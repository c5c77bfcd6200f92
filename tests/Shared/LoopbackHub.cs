// A hub on this machine for tests: lists and serves one model over HTTP, and misbehaves as it is told.
using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace LoraBuild.Tests.Shared;

internal sealed record HubRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>Without the query.</summary>
    public string Path => Target.Split('?')[0];

    public string? Header(string name) => Headers.TryGetValue(name, out string? value) ? value : null;

    /// <summary>First and last byte asked for.</summary>
    public (long First, long Last)? Range
    {
        get
        {
            if (Header("Range") is not { } text)
                return null;
            string[] ends = text["bytes=".Length..].Split('-');
            return (long.Parse(ends[0], CultureInfo.InvariantCulture), long.Parse(ends[1], CultureInfo.InvariantCulture));
        }
    }
}

/// <param name="CutAfter">The connection ends after so many bytes of the body.</param>
/// <param name="ClaimedLength">What Content-Length says; by default the truth.</param>
/// <param name="Pause">How long nothing is said before the body.</param>
internal sealed record HubReply(int Status, byte[] Body, Dictionary<string, string> Headers, int? CutAfter = null, long? ClaimedLength = null, TimeSpan? Pause = null)
{
    public static HubReply Of(int status, string body = "", params (string Name, string Value)[] headers) =>
        new(status, Encoding.UTF8.GetBytes(body), headers.ToDictionary(h => h.Name, h => h.Value));
}

internal sealed class LoopbackHub : IDisposable
{
    public const string Id = "org/tiny";
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private long bytesServed;

    public LoopbackHub()
    {
        listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
        _ = AcceptAsync();
    }

    /// <summary>By name in the repository.</summary>
    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public HashSet<string> Revisions { get; } = ["main", Commit];

    /// <summary>Larger files are in large file storage, with a SHA-256.</summary>
    public int LargeFrom { get; init; } = 1000;

    /// <summary>Where large files are fetched from; null: here.</summary>
    public LoopbackHub? Contents { get; set; }

    /// <summary>Changes an answer before it is sent.</summary>
    public Func<HubRequest, HubReply, HubReply> Tamper { get; set; } = (_, reply) => reply;

    public ConcurrentQueue<HubRequest> Requests { get; } = [];

    /// <summary>Of the bodies of files.</summary>
    public long BytesServed => Interlocked.Read(ref bytesServed);

    public Uri Address { get; }

    public IEnumerable<HubRequest> FileRequests => Requests.Where(r => r.Path.Contains("/resolve/", StringComparison.Ordinal) || r.Path.StartsWith("/contents/", StringComparison.Ordinal));

    public static string Sha256(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    public static string GitHash(byte[] content)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes($"blob {content.Length}\0"));
        hash.AppendData(content);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void ForgetRequests()
    {
        Requests.Clear();
        Interlocked.Exchange(ref bytesServed, 0);
    }

    public void StopListening() => listener.Stop();

    public void Dispose()
    {
        stop.Cancel();
        listener.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                TcpClient client = await listener.AcceptTcpClientAsync(stop.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                using NetworkStream stream = client.GetStream();
                using StreamReader reader = new(stream, Encoding.ASCII, false, 1024, leaveOpen: true);
                if (await reader.ReadLineAsync(stop.Token) is not { Length: > 0 } first)
                    return;
                Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
                while (await reader.ReadLineAsync(stop.Token) is { Length: > 0 } line)
                    headers[line.Split(':', 2)[0]] = line.Split(':', 2)[1].Trim();
                string target = first.Split(' ')[1];

                // As a proxy it is asked for whole addresses.
                if (target.StartsWith("http://", StringComparison.Ordinal))
                    target = new Uri(target).PathAndQuery;
                HubRequest request = new(first.Split(' ')[0], target, headers);
                Requests.Enqueue(request);
                await SendAsync(client, stream, Tamper(request, Answer(request)), FileRequests.Contains(request));
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The other side has gone, or the test is over.
            }
        }
    }

    private async Task SendAsync(TcpClient client, NetworkStream stream, HubReply reply, bool isCounted)
    {
        StringBuilder head = new($"HTTP/1.1 {reply.Status} X\r\nConnection: close\r\nContent-Length: {reply.ClaimedLength ?? reply.Body.Length}\r\n");
        foreach ((string name, string value) in reply.Headers)
            head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), stop.Token);
        if (reply.Pause is { } pause)
            await Task.Delay(pause, stop.Token);
        int count = Math.Min(reply.CutAfter ?? reply.Body.Length, reply.Body.Length);
        await stream.WriteAsync(reply.Body.AsMemory(0, count), stop.Token);
        if (isCounted)
            Interlocked.Add(ref bytesServed, count);
        client.Client.Shutdown(SocketShutdown.Send);

        // Closed at once, the system might throw away what the other side has not read yet.
        byte[] rest = new byte[256];
        while (await stream.ReadAsync(rest, stop.Token) > 0)
        {
        }
    }

    private HubReply Answer(HubRequest request)
    {
        string path = Uri.UnescapeDataString(request.Path);
        if (path.StartsWith("/contents/", StringComparison.Ordinal))
            return Content(request, Files.Values.First(c => Sha256(c) == path["/contents/".Length..]));
        if (path == $"/api/models/{Id}/refs")
            return HubReply.Of(200, """{"branches": [{"name": "main"}], "tags": [{"name": "v1.0"}, {"name": "v2.0"}]}""");
        if (path.StartsWith($"/api/models/{Id}/revision/", StringComparison.Ordinal))
            return Revisions.Contains(path[$"/api/models/{Id}/revision/".Length..]) ? HubReply.Of(200, Listing().ToJsonString()) : HubReply.Of(404, "", ("X-Error-Code", "RevisionNotFound"));
        string files = $"/{Id}/resolve/{Commit}/";
        if (!path.StartsWith(files, StringComparison.Ordinal))
            return HubReply.Of(404, "", ("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Repository not found"));
        if (!Files.TryGetValue(path[files.Length..], out byte[]? content))
            return HubReply.Of(404, "", ("X-Error-Code", "EntryNotFound"));
        return Contents is not null && content.Length >= LargeFrom
            ? HubReply.Of(302, "", ("Location", $"{Contents.Address}contents/{Sha256(content)}?signature=secret"))
            : Content(request, content);
    }

    private static HubReply Content(HubRequest request, byte[] content)
    {
        Dictionary<string, string> headers = new() { ["ETag"] = $"\"{GitHash(content)}\"" };
        if (request.Range is not { } range)
            return new HubReply(200, content, headers);
        headers["Content-Range"] = $"bytes {range.First}-{range.Last}/{content.Length}";
        return new HubReply(206, content[(int)range.First..((int)range.Last + 1)], headers);
    }

    public JsonObject Listing() => new()
    {
        ["id"] = Id,
        ["sha"] = Commit,
        ["tags"] = new JsonArray("transformers", "license:apache-2.0"),
        ["siblings"] = new JsonArray([.. Files.Select(f => (JsonNode)new JsonObject
        {
            ["rfilename"] = f.Key,
            ["size"] = f.Value.Length,
            ["blobId"] = GitHash(f.Value),
            ["lfs"] = f.Value.Length < LargeFrom ? null : new JsonObject { ["sha256"] = Sha256(f.Value), ["size"] = f.Value.Length, ["pointerSize"] = 130 },
        })]),
    };
}
