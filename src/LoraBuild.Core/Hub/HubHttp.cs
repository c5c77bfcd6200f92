// Requests to the hub: redirects followed by hand so that the token stays with the hub, silence noticed, statuses sorted.
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace LoraBuild.Core.Hub;

/// <summary>One answer with a body that is read piece by piece.</summary>
internal sealed class HubResponse(HttpResponseMessage message, Uri uri, CancellationTokenSource stall, TimeSpan stallTimeout, CancellationToken cancellation) : IDisposable
{
    private Stream? body;

    /// <summary>Where the answer came from, after redirects.</summary>
    public Uri Uri { get; } = uri;

    public bool IsPartial => message.StatusCode == HttpStatusCode.PartialContent;

    public long? ContentLength => message.Content.Headers.ContentLength;

    public ContentRangeHeaderValue? ContentRange => message.Content.Headers.ContentRange;

    public string? ETag => message.Headers.TryGetValues("ETag", out IEnumerable<string>? values) ? values.First() : null;

    /// <returns>0 at the end.</returns>
    /// <exception cref="HubTransientException">The connection was cut, or nothing came for too long.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer)
    {
        stall.CancelAfter(stallTimeout);
        try
        {
            body ??= await message.Content.ReadAsStreamAsync(stall.Token).ConfigureAwait(false);
            return await body.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw HubHttp.Silent(Uri, stallTimeout);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new HubTransientException($"the connection to {Uri.Host} was cut: {e.Message}");
        }
    }

    public void Dispose()
    {
        message.Dispose();
        stall.Dispose();
    }
}

/// <param name="client">Must not follow redirects, decompress, or time out by itself.</param>
internal sealed class HubHttp(HttpMessageInvoker client, HubOptions options)
{
    private const int MaxRedirects = 8;
    private const int MaxErrorText = 300;

    /// <param name="range">First and last byte, both included.</param>
    /// <returns>200, or 206 where a range was asked for.</returns>
    public async Task<HubResponse> GetAsync(Uri uri, (long First, long Last)? range, CancellationToken cancellation)
    {
        for (int redirects = 0; ; redirects++)
        {
            CancellationTokenSource stall = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            HttpResponseMessage? message = null;
            try
            {
                message = await SendAsync(uri, range, stall, cancellation).ConfigureAwait(false);
                if (Next(message, uri) is not { } next)
                {
                    CheckStatus(message, uri);
                    HubResponse response = new(message, uri, stall, options.StallTimeout, cancellation);
                    (message, stall) = (null, null!);
                    return response;
                }

                if (redirects == MaxRedirects)
                    throw new HubTransientException($"{uri.Host} redirects more than {MaxRedirects} times", isFinal: true);
                uri = next;
            }
            finally
            {
                message?.Dispose();
                stall?.Dispose();
            }
        }
    }

    /// <summary>A whole body in memory.</summary>
    /// <returns>Null where it is longer than <paramref name="maxBytes"/>.</returns>
    public async Task<byte[]?> GetBytesAsync(Uri uri, int maxBytes, CancellationToken cancellation)
    {
        using HubResponse response = await GetAsync(uri, null, cancellation).ConfigureAwait(false);
        using MemoryStream content = new();
        byte[] buffer = new byte[1 << 16];
        for (int count; (count = await response.ReadAsync(buffer).ConfigureAwait(false)) > 0;)
        {
            if (content.Length + count > maxBytes)
                return null;
            content.Write(buffer, 0, count);
        }

        return content.ToArray();
    }

    public static HubTransientException Silent(Uri uri, TimeSpan time) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{uri.Host} sent nothing for {time.TotalSeconds:0.#} s"));

    private async Task<HttpResponseMessage> SendAsync(Uri uri, (long First, long Last)? range, CancellationTokenSource stall, CancellationToken cancellation)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, uri);
        request.Headers.TryAddWithoutValidation("User-Agent", "lorabuild");
        if (range is { } asked)
            request.Headers.Range = new RangeHeaderValue(asked.First, asked.Last);

        // The token belongs to the hub: not to the hosts that it sends us to for the contents.
        if (options.Token is not null && IsHub(uri))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", options.Token);
        stall.CancelAfter(options.StallTimeout);
        try
        {
            return await client.SendAsync(request, stall.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw Silent(uri, options.StallTimeout);
        }
        catch (HttpRequestException e)
        {
            string reason = (e.InnerException ?? e).Message.TrimEnd('.');
            throw new HubTransientException($"{uri.Host} cannot be reached: {reason}", isFinal: e.HttpRequestError == HttpRequestError.SecureConnectionError);
        }
        catch (IOException e)
        {
            throw new HubTransientException($"the connection to {uri.Host} was cut: {e.Message.TrimEnd('.')}");
        }
    }

    private bool IsHub(Uri uri) => uri.Scheme == options.Endpoint.Scheme && uri.Host == options.Endpoint.Host && uri.Port == options.Endpoint.Port;

    private Uri? Next(HttpResponseMessage message, Uri uri)
    {
        if (message.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            return null;
        if (message.Headers.Location is not { } location)
            throw new HubTransientException($"{uri.Host} redirects to nowhere");
        Uri next = new(uri, location);
        bool isAllowed = next.Scheme == Uri.UriSchemeHttps || (next.Scheme == Uri.UriSchemeHttp && options.Endpoint.Scheme == Uri.UriSchemeHttp);
        return isAllowed ? next : throw new HubTransientException($"{uri.Host} redirects to {next.Scheme}://{next.Host}, which is not followed from {options.Endpoint.Scheme}", isFinal: true);
    }

    private void CheckStatus(HttpResponseMessage message, Uri uri)
    {
        if (message.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent)
            return;
        int status = (int)message.StatusCode;
        if (status is 408 or 425 or 429 or >= 500)
            throw new HubTransientException($"{uri.Host} answers {status}{(status == 429 ? " (too many requests)" : "")}", RetryAfter(message));
        if (status == 416)
            throw new HubContentException("the server's file is shorter than its listing says");
        if (!IsHub(uri))
            throw new HubTransientException($"{uri.Host} answers {status}");
        throw new HubStatusException(message.StatusCode, Header(message, "X-Error-Code"), Header(message, "X-Error-Message"));
    }

    private TimeSpan? RetryAfter(HttpResponseMessage message) => message.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date > options.Time.GetUtcNow() ? date - options.Time.GetUtcNow() : TimeSpan.Zero,
        _ => null,
    };

    /// <summary>A server's words for a diagnostic: one line, not endless.</summary>
    private static string? Header(HttpResponseMessage message, string name)
    {
        if (!message.Headers.TryGetValues(name, out IEnumerable<string>? values))
            return null;
        string text = string.Concat(values.First().Where(c => !char.IsControl(c)));
        return text.Length <= MaxErrorText ? text : text[..MaxErrorText] + "…";
    }
}
