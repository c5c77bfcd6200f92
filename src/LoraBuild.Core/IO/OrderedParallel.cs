// Work on a stream of items by several threads at once: results in the order of the items, and never more than a few items in memory.
using System.Collections.Concurrent;

namespace LoraBuild.Core.IO;

public static class OrderedParallel
{
    /// <summary>
    /// Results come as soon as they and those before them are there, without waiting for further items: whoever asks one question at a time gets each answer.
    /// With one thread everything happens on the caller's; with more the items are read on a thread of their own, at most <paramref name="threads"/> ahead.
    /// </summary>
    /// <param name="work">Called from several threads.</param>
    /// <exception cref="OperationCanceledException">Also while the items' source is blocked.</exception>
    /// <remarks>What the source or <paramref name="work"/> throws is thrown in its item's place.</remarks>
    public static IEnumerable<TResult> Map<T, TResult>(IEnumerable<T> items, Func<T, TResult> work, int threads, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        return threads == 1 ? MapInline(items, work, cancellation) : MapAhead(items, work, threads, cancellation);
    }

    private static IEnumerable<TResult> MapInline<T, TResult>(IEnumerable<T> items, Func<T, TResult> work, CancellationToken cancellation)
    {
        foreach (T item in items)
        {
            cancellation.ThrowIfCancellationRequested();
            yield return work(item);
        }
    }

    private static IEnumerable<TResult> MapAhead<T, TResult>(IEnumerable<T> items, Func<T, TResult> work, int threads, CancellationToken cancellation)
    {
        // Neither is disposed: the reading thread may still hold them when the caller has left.
        BlockingCollection<Task<TResult>> ahead = new(threads);
        CancellationTokenSource stop = new();
        Thread reading = new(() => Read(items, work, ahead, stop.Token)) { IsBackground = true, Name = "reading ahead" };
        reading.Start();
        try
        {
            foreach (Task<TResult> result in ahead.GetConsumingEnumerable(cancellation))
                yield return result.GetAwaiter().GetResult();
        }
        finally
        {
            stop.Cancel();
        }
    }

    private static void Read<T, TResult>(IEnumerable<T> items, Func<T, TResult> work, BlockingCollection<Task<TResult>> ahead, CancellationToken stop)
    {
        try
        {
            foreach (T item in items)
                ahead.Add(Task.Run(() => work(item), stop), stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Nobody waits for the rest.
        }
        catch (Exception e) // a thread's entry: the one who waits for results gets it
        {
            if (!stop.IsCancellationRequested)
                ahead.TryAdd(Task.FromException<TResult>(e), Timeout.Infinite, CancellationToken.None);
        }
        finally
        {
            ahead.CompleteAdding();
        }
    }
}
