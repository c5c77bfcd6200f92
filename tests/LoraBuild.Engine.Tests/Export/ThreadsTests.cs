// --threads holds for what encodes and merges, and changes no byte.
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;
using LoraBuild.Engine.Merging;

namespace LoraBuild.Engine.Tests.Export;

public sealed class ThreadsTests : IDisposable
{
    private readonly TemporaryDirectory folder = new();

    [Fact]
    public void An_export_keeps_to_one_thread()
    {
        using TemporaryDirectory model = GgufModels.Materialise("llama-tied");
        Check(threads => GgufExporter.Export(model.Path, GgufMix.Find("q4_k_m")!, In("x.gguf"), new GgufExportOptions { Threads = threads, Name = "x" }), "x.gguf");
    }

    [Fact]
    public void An_export_of_an_adapter_keeps_to_one_thread() =>
        Check(threads => GgufAdapterExporter.Export(Golden.Model("llama-tied"), Adapter, GgmlType.F16, In("a.gguf"), threads), "a.gguf");

    [Fact]
    public void A_merge_keeps_to_one_thread() =>
        Check(threads => AdapterMerger.Merge(Golden.Model("llama-tied"), Adapter, In("merged"), new MergeOptions { Threads = threads }), Path.Combine("merged", "model.safetensors"));

    public void Dispose() => folder.Dispose();

    private static string Adapter => Path.Combine(Golden.Lora("llama-tied-qkv-r4"), "adapter_final");

    private string In(string name) => Path.Combine(folder.Path, name);

    /// <summary>Four threads ask the scheduler for help, one does not, and both write the same.</summary>
    private void Check(Action<int> work, string file)
    {
        CountingScheduler scheduler = new();
        Run(scheduler, () => work(4));
        byte[] ofFour = File.ReadAllBytes(In(file));
        Assert.True(scheduler.Queued > 1, "nothing ran in parallel");

        scheduler = new CountingScheduler();
        Run(scheduler, () => work(1));
        Assert.Equal(1, scheduler.Queued); // the work itself
        Assert.Equal(ofFour, File.ReadAllBytes(In(file)));
    }

    private static void Run(CountingScheduler scheduler, Action work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.None, scheduler).GetAwaiter().GetResult();

    /// <summary>Counts the tasks that are given to it, and has the thread pool run them.</summary>
    private sealed class CountingScheduler : TaskScheduler
    {
        private int queued;

        public override int MaximumConcurrencyLevel => 16;

        public int Queued => Volatile.Read(ref queued);

        protected override void QueueTask(Task task)
        {
            Interlocked.Increment(ref queued);
            ThreadPool.QueueUserWorkItem(_ => TryExecuteTask(task));
        }

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => TryExecuteTask(task);

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }
}
