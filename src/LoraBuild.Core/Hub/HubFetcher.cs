// Brings a model from the hub into the Hugging Face cache: list, choose, check the room, fetch, name, and only then say that the revision is there.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;
using LoraBuild.Core.Models;

namespace LoraBuild.Core.Hub;

/// <param name="Received">Bytes that came over the network.</param>
public sealed record FetchedModel(LocatedModel Model, IReadOnlyList<HubFile> Files, long Received);

/// <param name="IsCached">Nothing has to be fetched for it.</param>
/// <param name="PartialBytes">What an interrupted run left of it.</param>
public sealed record PlannedFile(HubFile File, bool IsCached, long PartialBytes);

/// <summary>The hub's files of one revision, before anything of them is fetched.</summary>
public sealed record FetchPlan(HubName Name, string Commit, string? License, IReadOnlyList<PlannedFile> Files)
{
    public long BytesToFetch => Files.Where(f => !f.IsCached).Sum(f => f.File.Size - f.PartialBytes);
}

/// <param name="client">Must not follow redirects, decompress, or time out by itself.</param>
public sealed class HubFetcher(HttpMessageInvoker client, HubOptions options, IHubObserver observer)
{
    private const int MaxIndexBytes = 64 << 20;
    private const long SpareBytes = 64 << 20;

    private readonly HubHttp http = new(client, options);

    /// <summary>Asks the hub what there is, and fetches nothing.</summary>
    /// <exception cref="DiagnosticException">LB0056–LB0063: offline, not reached, refused, no such model or revision, nothing that can be trained.</exception>
    public async Task<FetchPlan> PlanAsync(HubName name, ModelContent content, CancellationToken cancellation)
    {
        if (options.IsOffline)
            throw new DiagnosticException("LB0056", $"{name} is not fetched: HF_HUB_OFFLINE says that nothing may be asked of the network. Unset it, or put the model into the cache {options.CacheDirectory} from elsewhere.");
        try
        {
            Uri address = At($"api/models/{name.Id}/revision/{Uri.EscapeDataString(name.RevisionOrMain)}?blobs=true");
            HubListing listing = HubListing.Parse(await ReadAsync(address, HubListing.MaxBytes, cancellation).ConfigureAwait(false), address);
            IReadOnlyList<string> shards = [];
            if (content == ModelContent.Weights && HubFiles.IndexOf(listing) is { } index)
            {
                Uri source = FileAddress(name, listing.Commit, index);
                string blob = HubCache.Blob(Repository(name), index.Hash);
                shards = HubFiles.ShardNames(index.Hash.Length > 0 && File.Exists(blob) ? await File.ReadAllBytesAsync(blob, cancellation).ConfigureAwait(false) : await ReadAsync(source, MaxIndexBytes, cancellation).ConfigureAwait(false), source);
            }

            return new FetchPlan(name, listing.Commit, listing.License, [.. HubFiles.Choose(listing, name, content, shards, address).Select(file => Planned(name, file))]);
        }
        catch (HubStatusException e)
        {
            throw await ExplainedAsync(e, name, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Makes the cache hold the revision as it is on the hub now. What is there already is not fetched again.</summary>
    /// <exception cref="DiagnosticException">As <see cref="PlanAsync"/>; LB0064 damaged on the way, LB0065 no room.</exception>
    /// <exception cref="OperationCanceledException">What has arrived is kept, and the next run goes on from there.</exception>
    public async Task<FetchedModel> FetchAsync(HubName name, ModelContent content, CancellationToken cancellation)
    {
        FetchPlan plan = await PlanAsync(name, content, cancellation).ConfigureAwait(false);
        string repository = Repository(name);
        Directory.CreateDirectory(repository);
        SnapshotWriter snapshot = new(options, repository, plan.Commit);
        CheckRoom(plan, snapshot, repository);
        HubProgressMeter meter = new(name.ToString(), plan.Files.Where(f => !f.IsCached).Sum(f => f.File.Size), options.Time, observer);
        if (plan.BytesToFetch > 0)
            observer.Message(string.Create(CultureInfo.InvariantCulture, $"fetch: {name}: {plan.Files.Count(f => !f.IsCached)} files, {plan.BytesToFetch / 1e6:N1} MB to fetch into {repository}"));
        try
        {
            foreach (PlannedFile planned in plan.Files)
            {
                cancellation.ThrowIfCancellationRequested();
                await FetchBlobAsync(name, plan.Commit, planned.File, meter, cancellation).ConfigureAwait(false);
                if (snapshot.HasLinks || !snapshot.Has(planned.File))
                    snapshot.Place(planned.File);
            }
        }
        catch (HubStatusException e)
        {
            throw await ExplainedAsync(e, name, cancellation).ConfigureAwait(false);
        }

        if (plan.License is not null)
            AtomicFile.WriteAllText(HubCache.LicenseFile(repository, plan.Commit), plan.License + "\n");

        // Last: whoever finds the revision finds all of it.
        if (name.RevisionOrMain != plan.Commit)
            AtomicFile.WriteAllText(HubCache.Reference(repository, name.RevisionOrMain), plan.Commit);
        return new FetchedModel(new LocatedModel(snapshot.Folder, name.Id, name.RevisionOrMain, plan.Commit), [.. plan.Files.Select(f => f.File)], meter.Received);
    }

    private async Task FetchBlobAsync(HubName name, string commit, HubFile file, HubProgressMeter meter, CancellationToken cancellation)
    {
        string blob = HubCache.Blob(Repository(name), file.Hash);
        if (IsComplete(blob, file))
            return;
        using BlobLock taken = await BlobLock.TakeAsync(
            HubCache.Lock(options.CacheDirectory, name.Id, file.Hash),
            () => observer.Message($"fetch: another process fetches {file.Name} of {name}; waiting for it"),
            cancellation).ConfigureAwait(false);
        if (IsComplete(blob, file))
            return;
        BlobSource source = new(http, FileAddress(name, commit, file), file.Size);
        await new BlobDownload(options, observer, meter, source, file, blob).RunAsync(cancellation).ConfigureAwait(false);
    }

    private void CheckRoom(FetchPlan plan, SnapshotWriter snapshot, string repository)
    {
        long copies = snapshot.HasLinks ? 0 : plan.Files.Where(f => !snapshot.Has(f.File)).Sum(f => f.File.Size);
        long needed = plan.BytesToFetch + copies;
        long free = options.FreeBytes(repository);
        if (needed > 0 && free < needed + SpareBytes)
            throw new DiagnosticException("LB0065", string.Create(CultureInfo.InvariantCulture, $"{plan.Name} needs {needed / 1e6:N0} MB{(copies > 0 ? " (the file system has no links, so every file is kept twice)" : "")}, and {options.CacheDirectory} has {free / 1e6:N0} MB free. Make room, or put the cache elsewhere with HF_HUB_CACHE=DIR."));
    }

    private PlannedFile Planned(HubName name, HubFile file)
    {
        string blob = HubCache.Blob(Repository(name), file.Hash);
        FileInfo partial = new(BlobDownload.Incomplete(blob));
        return new PlannedFile(file, IsComplete(blob, file), partial.Exists && partial.Length <= file.Size ? partial.Length : 0);
    }

    private static bool IsComplete(string blob, HubFile file) => new FileInfo(blob) is { Exists: true } info && info.Length == file.Size;

    private string Repository(HubName name) => Path.Combine(options.CacheDirectory, HubCache.FolderName(name.Id));

    private Uri At(string path) => new($"{options.Endpoint.AbsoluteUri.TrimEnd('/')}/{path}");

    private Uri FileAddress(HubName name, string commit, HubFile file) =>
        At($"{name.Id}/resolve/{commit}/{string.Join('/', file.Name.Split('/').Select(Uri.EscapeDataString))}");

    private async Task<byte[]> ReadAsync(Uri address, int maxBytes, CancellationToken cancellation) =>
        await new HubRetry(options, observer).RunAsync(() => http.GetBytesAsync(address, maxBytes, cancellation), cancellation).ConfigureAwait(false)
        ?? throw HubListing.Wrong(address, string.Create(CultureInfo.InvariantCulture, $"it has more than {maxBytes / 1e6:N0} MB"));

    private async Task<DiagnosticException> ExplainedAsync(HubStatusException e, HubName name, CancellationToken cancellation)
    {
        if (e.ErrorCode == "RevisionNotFound")
            return HubErrors.NoRevision(name, await RevisionsAsync(name, cancellation).ConfigureAwait(false));
        return HubErrors.Refused(e, name, options.Token is not null, At(name.Id));
    }

    private async Task<IReadOnlyList<string>> RevisionsAsync(HubName name, CancellationToken cancellation)
    {
        Uri address = At($"api/models/{name.Id}/refs");
        try
        {
            return HubErrors.Revisions(await ReadAsync(address, HubListing.MaxBytes, cancellation).ConfigureAwait(false), address);
        }
        catch (HubStatusException)
        {
            // Only a help for the message.
            return [];
        }
    }
}
