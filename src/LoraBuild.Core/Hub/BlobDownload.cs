// One blob: parts are fetched side by side and appended in order, so that at any moment the unfinished file is a true beginning of the whole.
using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Hub;

/// <summary>
/// Writes <c>HASH.incomplete</c> beside the blob, goes on where an interrupted run (of this program or of huggingface_hub) left one, and gives it
/// its name when size and hash are right.
/// </summary>
internal sealed class BlobDownload(HubOptions options, IHubObserver observer, HubProgressMeter meter, BlobSource source, HubFile file, string blob)
{
    /// <summary>So much in one attempt counts as going on: failures before it are forgotten.</summary>
    private const int ProgressBytes = 1 << 16;

    private readonly HubOptions options = options;
    private readonly IHubObserver observer = observer;
    private readonly HubProgressMeter meter = meter;
    private readonly BlobSource source = source;
    private readonly HubRetry retry = new(options, observer);

    public static string Incomplete(string blob) => blob + ".incomplete";

    /// <exception cref="DiagnosticException">LB0057: the server keeps failing; LB0064: twice it was not the file of the listing.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
        using (FileStream partial = new(Incomplete(blob), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0))
        {
            if (await AttemptAsync(partial, cancellation).ConfigureAwait(false) is { } first)
            {
                observer.Message($"fetch: {file.Name}: {first}; fetching it from the start");
                Empty(partial);
                if (await AttemptAsync(partial, cancellation).ConfigureAwait(false) is { } second)
                {
                    Empty(partial);
                    throw new DiagnosticException("LB0064", $"{file.Name} is not the file that the hub lists, twice: {second}. Nothing of it is kept. Try again later, or another mirror (HF_ENDPOINT, now {options.Endpoint}); a proxy that changes contents does this, too.");
                }
            }

            partial.Flush(flushToDisk: true);
        }

        File.Move(Incomplete(blob), blob, overwrite: true);
    }

    /// <returns>What is wrong with what arrived; null: nothing.</returns>
    private async Task<string?> AttemptAsync(FileStream partial, CancellationToken cancellation)
    {
        if (partial.Length > file.Size)
            partial.SetLength(0);
        try
        {
            using IncrementalHash hash = await HashOfAsync(partial, cancellation).ConfigureAwait(false);
            meter.Found(partial.Length);
            await AppendRestAsync(partial, hash, cancellation).ConfigureAwait(false);
            string found = Convert.ToHexStringLower(hash.GetHashAndReset());
            return found == file.Hash ? null : $"its {(file.Sha256 is null ? "Git hash" : "SHA-256")} is {found}, the hub lists {file.Hash}";
        }
        catch (HubContentException e)
        {
            return e.Message;
        }
    }

    private void Empty(FileStream partial)
    {
        meter.Found(-partial.Length);
        partial.SetLength(0);
        source.Restart();
    }

    /// <summary>The hash of what is there already; the stream then stands at its end.</summary>
    private async Task<IncrementalHash> HashOfAsync(FileStream partial, CancellationToken cancellation)
    {
        // Git hashes "blob SIZE\0" and the content.
        IncrementalHash hash = IncrementalHash.CreateHash(file.Sha256 is null ? HashAlgorithmName.SHA1 : HashAlgorithmName.SHA256);
        if (file.Sha256 is null)
            hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {file.Size}\0")));
        partial.Position = 0;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 20);
        for (int count; (count = await partial.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0;)
            hash.AppendData(buffer, 0, count);
        ArrayPool<byte>.Shared.Return(buffer);
        return hash;
    }

    private async Task AppendRestAsync(FileStream partial, IncrementalHash hash, CancellationToken cancellation)
    {
        try
        {
            await AppendPartsAsync(partial, hash, cancellation).ConfigureAwait(false);
        }
        catch (HubRangeIgnoredException)
        {
            await AppendFromWholeAsync(partial, hash, cancellation).ConfigureAwait(false);
        }
    }

    private async Task AppendPartsAsync(FileStream partial, IncrementalHash hash, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Queue<Part> window = new();
        long next = partial.Length;

        // One part alone at first: it tells whether the server sends parts at all.
        int width = 1;
        try
        {
            while (next < file.Size || window.Count > 0)
            {
                for (; window.Count < width && next < file.Size; next = window.Last().End)
                    window.Enqueue(Part.Start(this, next, (int)Math.Min(options.PartBytes, file.Size - next), stop.Token));
                Part head = window.Peek();
                await head.Completion.ConfigureAwait(false);
                Append(head);
                window.Dequeue().Dispose();
                width = options.Connections;
            }
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            bool isContiguous = true;
            foreach (Part part in window)
            {
                await part.Completion.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).ConfigureAwait(false);

                // A full disk may have stopped in the middle of this very part.
                if (isContiguous && partial.Length == part.Offset)
                    Append(part);
                isContiguous &= part.Received == part.Length;
                part.Dispose();
            }

            throw;
        }

        void Append(Part part)
        {
            partial.Write(part.Buffer, 0, part.Received);
            hash.AppendData(part.Buffer, 0, part.Received);
        }
    }

    /// <summary>From a server that knows no ranges: the beginning that is there already is read past.</summary>
    private async Task AppendFromWholeAsync(FileStream partial, IncrementalHash hash, CancellationToken cancellation)
    {
        byte[] buffer = new byte[1 << 17];
        await retry.RunAsync(
            async () =>
            {
                using HubResponse response = await source.OpenAsync(0, file.Size, cancellation).ConfigureAwait(false);
                long position = 0;
                while (position < file.Size)
                {
                    int count = await response.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, file.Size - position))).ConfigureAwait(false);
                    if (count == 0)
                        throw CutOff(position);
                    int known = (int)Math.Clamp(partial.Length - position, 0, count);
                    partial.Write(buffer, known, count - known);
                    hash.AppendData(buffer, known, count - known);
                    position += count;
                    if (count > known)
                    {
                        meter.Arrived(count - known);
                        retry.Progressed();
                    }
                }

                return true;
            },
            cancellation).ConfigureAwait(false);
    }

    private HubTransientException CutOff(long position) => new($"{file.Name}: the server ended after {position.ToString("N0", CultureInfo.InvariantCulture)} bytes");

    /// <summary>Some bytes of the file on their way into memory.</summary>
    private sealed class Part : IDisposable
    {
        private Part(long offset, int length)
        {
            Offset = offset;
            Length = length;
            Buffer = ArrayPool<byte>.Shared.Rent(length);
        }

        public long Offset { get; }

        public byte[] Buffer { get; }

        public int Length { get; }

        /// <summary>Bytes of <see cref="Buffer"/> that are there; read it after <see cref="Completion"/>.</summary>
        public int Received { get; private set; }

        public long End => Offset + Length;

        public Task Completion { get; private set; } = Task.CompletedTask;

        public static Part Start(BlobDownload download, long offset, int length, CancellationToken cancellation)
        {
            Part part = new(offset, length);
            part.Completion = part.FetchAsync(download, cancellation);
            return part;
        }

        public void Dispose() => ArrayPool<byte>.Shared.Return(Buffer);

        private async Task FetchAsync(BlobDownload download, CancellationToken cancellation)
        {
            HubRetry retry = new(download.options, download.observer);
            while (Received < Length)
            {
                int before = Received;
                try
                {
                    using HubResponse response = await download.source.OpenAsync(Offset + Received, End, cancellation).ConfigureAwait(false);
                    while (Received < Length)
                    {
                        int count = await response.ReadAsync(Buffer.AsMemory(Received, Length - Received)).ConfigureAwait(false);
                        if (count == 0)
                            throw download.CutOff(Offset + Received);
                        Received += count;
                        download.meter.Arrived(count);
                    }
                }
                catch (HubTransientException e)
                {
                    if (Received - before >= ProgressBytes)
                        retry.Progressed();
                    await retry.WaitAfterAsync(e, cancellation).ConfigureAwait(false);
                }
            }
        }
    }
}
