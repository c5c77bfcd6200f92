// Order, bounds, and what happens when something throws or stops.
using LoraBuild.Core.IO;

namespace LoraBuild.Core.Tests.IO;

public sealed class OrderedParallelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Results_come_in_the_order_of_the_items_for_any_number_of_threads(int threads)
    {
        Random random = new(5);
        int[] delays = [.. Enumerable.Range(0, 200).Select(_ => random.Next(3))];
        IEnumerable<int> results = OrderedParallel.Map(Enumerable.Range(0, delays.Length), i => { Thread.SpinWait(delays[i] * 2000); return i * 2; }, threads, CancellationToken.None);
        Assert.Equal(Enumerable.Range(0, delays.Length).Select(i => i * 2), results);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void No_more_items_are_taken_than_can_be_worked_on(int threads)
    {
        int taken = 0;
        int done = 0;
        int most = 0;
        foreach (int _ in OrderedParallel.Map(Items(), i => i, threads, CancellationToken.None))
        {
            done++;
            most = Math.Max(most, Volatile.Read(ref taken) - done);
        }

        // The queue's, one that waits for room in it, one that was just handed out.
        Assert.InRange(most, 0, threads + 2);
        Assert.Equal(5000, done);

        IEnumerable<int> Items()
        {
            for (int i = 0; i < 5000; i++)
            {
                Interlocked.Increment(ref taken);
                yield return i;
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void What_is_thrown_arrives_in_its_items_place(int threads)
    {
        List<int> seen = [];
        InvalidOperationException thrown = Assert.Throws<InvalidOperationException>(() =>
        {
            foreach (int i in OrderedParallel.Map(Enumerable.Range(0, 100), i => i == 20 ? throw new InvalidOperationException("twenty") : i, threads, CancellationToken.None))
                seen.Add(i);
        });
        Assert.Equal("twenty", thrown.Message);
        Assert.Equal(Enumerable.Range(0, 20), seen);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void An_error_of_the_source_arrives_behind_the_results_before_it(int threads)
    {
        List<int> seen = [];
        Assert.Throws<IOException>(() =>
        {
            foreach (int i in OrderedParallel.Map(Broken(), i => i, threads, CancellationToken.None))
                seen.Add(i);
        });
        Assert.Equal([1, 2], seen);

        static IEnumerable<int> Broken()
        {
            yield return 1;
            yield return 2;
            throw new IOException("gone");
        }
    }

    [Fact]
    public void Cancelling_ends_the_wait_for_a_source_that_is_blocked()
    {
        using CancellationTokenSource cancellation = new();
        using ManualResetEventSlim never = new();
        IEnumerable<int> results = OrderedParallel.Map(Blocked(), i => i, 2, cancellation.Token);
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (int i in results)
            {
                Assert.Equal(1, i);
                cancellation.Cancel();
            }
        });
        never.Set();

        IEnumerable<int> Blocked()
        {
            yield return 1;
            never.Wait(TimeSpan.FromMinutes(1));
        }
    }
}
