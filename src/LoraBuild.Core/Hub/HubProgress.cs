// How far a fetch is, told once a second.
namespace LoraBuild.Core.Hub;

/// <param name="Done">Bytes that are there, those of an earlier run included.</param>
/// <param name="Total">Bytes of all files that were not there at the start.</param>
/// <param name="BytesPerSecond">Of what this run received.</param>
/// <param name="TimeLeft">Null while nothing has arrived.</param>
public sealed record HubProgress(string Model, long Done, long Total, double BytesPerSecond, TimeSpan? TimeLeft);

/// <summary>Called from several threads, one call at a time.</summary>
public interface IHubObserver
{
    void Message(string text);

    void Progress(HubProgress progress);
}

/// <summary>Adds up what the parts report.</summary>
internal sealed class HubProgressMeter(string model, long total, TimeProvider time, IHubObserver observer)
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly long start = time.GetTimestamp();
    private long last = time.GetTimestamp();
    private long done;
    private long received;

    /// <summary>Bytes that have come over the network, whatever became of them.</summary>
    public long Received => Interlocked.Read(ref received);

    /// <summary>Bytes that an earlier run left; negative: bytes that turned out to be wrong.</summary>
    public void Found(long bytes)
    {
        lock (gate)
            done += bytes;
    }

    public void Arrived(long bytes)
    {
        lock (gate)
        {
            done += bytes;
            received += bytes;
            if (time.GetElapsedTime(last) < Interval)
                return;
            last = time.GetTimestamp();
            double rate = received / time.GetElapsedTime(start).TotalSeconds;
            observer.Progress(new HubProgress(model, done, total, rate, rate > 0 ? TimeSpan.FromSeconds((total - done) / rate) : null));
        }
    }
}
