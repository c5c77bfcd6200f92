// A parallel loop that keeps to the number of threads that was asked for.
namespace LoraBuild.Core.IO;

public static class BoundedParallel
{
    /// <summary>Calls <paramref name="body"/> with 0 … <paramref name="count"/> − 1, in any order, on the current task scheduler.</summary>
    /// <param name="threads">Calls at once, at most; null: as many as there are cores.</param>
    public static void For(int count, int? threads, Action<int> body) =>
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads ?? -1, TaskScheduler = TaskScheduler.Current }, body);
}
