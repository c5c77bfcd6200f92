// The event files of one run in a directory: tensorboard/events.out.tfevents.NNNNNN.
using System.Globalization;
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Formats.TensorBoard;

/// <summary>
/// Each start of a run writes a file of its own, numbered on, because a TensorBoard that is looking on follows files by name and never reads one from its start again.
/// Steps that a run does once more are taken out of the older files first, so that every step stands there once for every reader; the new file also says where it begins,
/// which is what makes an open TensorBoard forget them.
/// </summary>
public sealed class EventFileWriter : IDisposable
{
    private const string Prefix = "events.out.tfevents.";

    private readonly FileStream stream;

    private EventFileWriter(FileStream stream) => this.stream = stream;

    /// <summary>Begins the next file of a directory.</summary>
    /// <param name="firstStep">Step that comes first in it; 0 for a fresh run.</param>
    /// <param name="isKept">Of an event in older files: its step, and the tag of its first value. A file of which nothing stays goes.</param>
    /// <param name="wallTime">Seconds since 1970.</param>
    public static EventFileWriter Open(string directory, long firstStep, Func<long, string, bool> isKept, double wallTime)
    {
        Directory.CreateDirectory(directory);
        string[] older = [.. FilesOf(directory)];
        foreach (string file in older)
            Keep(file, isKept);
        long number = older.Length == 0 ? 1 : NumberOf(older[^1]) + 1;
        string path = Path.Combine(directory, Prefix + number.ToString("D6", CultureInfo.InvariantCulture));
        EventFileWriter writer = new(new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite));
        writer.Write(EventMessage.FileVersion(wallTime));
        if (number > 1)
            writer.Write(EventMessage.Restart(firstStep, wallTime));
        return writer;
    }

    /// <summary>The event files of a directory, oldest first.</summary>
    public static IEnumerable<string> FilesOf(string directory) => Directory.Exists(directory)
        ? Directory.EnumerateFiles(directory, Prefix + "*").Where(f => NumberOf(f) > 0).Order(StringComparer.Ordinal)
        : [];

    /// <summary>One event; whoever looks on sees it at once.</summary>
    /// <param name="data">From <see cref="EventMessage"/>.</param>
    public void Write(byte[] data)
    {
        TfRecords.Write(stream, data);
        stream.Flush();
    }

    public void Dispose() => stream.Dispose();

    /// <summary>Events without a value (version, restart) say nothing alone.</summary>
    private static void Keep(string file, Func<long, string, bool> isKept)
    {
        byte[] content = File.ReadAllBytes(file);
        IReadOnlyList<byte[]> records = TfRecords.ReadWhole(content);
        (byte[] Data, long Step, string? Tag)[] events = [.. records.Select(data => (data, EventMessage.Describe(data).Step, EventMessage.Describe(data).Tag))];
        if (!events.Any(e => e.Tag is not null && isKept(e.Step, e.Tag)))
        {
            File.Delete(file);
            return;
        }

        byte[][] kept = [.. events.Where(e => e.Tag is null || isKept(e.Step, e.Tag)).Select(e => e.Data)];
        if (kept.Length == records.Count && kept.Sum(k => k.LongLength + 16) == content.LongLength)
            return;
        AtomicFile.Write(file, stream =>
        {
            foreach (byte[] data in kept)
                TfRecords.Write(stream, data);
        });
    }

    /// <summary>0: not one of ours.</summary>
    private static long NumberOf(string file) =>
        long.TryParse(Path.GetFileName(file)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
