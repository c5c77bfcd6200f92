// One file on the server as ranges of bytes, each answer held against what the listing promised.
using System.Globalization;

namespace LoraBuild.Core.Hub;

/// <summary>Remembers where the hub redirected to, so that not every part asks the hub again. Safe to call from several threads.</summary>
internal sealed class BlobSource(HubHttp http, Uri uri, long size)
{
    private Uri? location;
    private string? etag;
    private bool isComparing = true;

    /// <param name="from">First byte.</param>
    /// <param name="to">After the last byte.</param>
    /// <exception cref="HubRangeIgnoredException">The server sends the whole file in place of the part.</exception>
    /// <exception cref="HubContentException">It is not the file of the listing, or another one than a moment ago.</exception>
    public async Task<HubResponse> OpenAsync(long from, long to, CancellationToken cancellation)
    {
        bool isWhole = from == 0 && to == size;
        Uri? known = Volatile.Read(ref location);
        HubResponse response;
        try
        {
            response = await http.GetAsync(known ?? uri, isWhole ? null : (from, to - 1), cancellation).ConfigureAwait(false);
        }
        catch (HubTransientException) when (known is not null)
        {
            // Addresses of contents are signed for a limited time: the next attempt asks the hub for a new one.
            Interlocked.CompareExchange(ref location, null, known);
            throw;
        }

        try
        {
            Check(response, from, to, isWhole);

            // Only what the hub itself says: a late answer from an old address must not bring that back.
            if (known is null && response.Uri != uri)
                Volatile.Write(ref location, response.Uri);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>
    /// What was learned of another version of the file is forgotten. From now on the hash alone decides: there are mirrors whose machines give one file different
    /// ETags.
    /// </summary>
    public void Restart()
    {
        isComparing = false;
        Volatile.Write(ref location, null);
        Volatile.Write(ref etag, null);
    }

    private void Check(HubResponse response, long from, long to, bool isWhole)
    {
        if (isComparing && response.ETag is { } tag && Interlocked.CompareExchange(ref etag, tag, null) is { } first && first != tag)
            throw new HubContentException($"the file changed on the server while it was read (ETag {first}, then {tag})");
        if (!response.IsPartial)
        {
            if (response.ContentLength is { } length && length != size)
                throw WrongSize(length);
            if (!isWhole)
                throw new HubRangeIgnoredException();
            return;
        }

        if (response.ContentRange is not { } range || range.From != from || range.To != to - 1)
            throw new HubContentException($"asked for bytes {from}–{to - 1}, the server sends {response.ContentRange?.ToString() ?? "a part without saying which"}");
        if (range.Length is { } total && total != size)
            throw WrongSize(total);
    }

    private HubContentException WrongSize(long got) =>
        new(string.Create(CultureInfo.InvariantCulture, $"the server's file has {got:N0} bytes, its listing says {size:N0}"));
}
