// Bytes of text a second that tokenizers take on one thread, with and without places, beside a pass over memory in the same process.
using System.Globalization;
using System.Numerics;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Benchmarks;

internal static class TokenizeBenchmark
{
    private const int MemoryPassBytes = 256 << 20; // larger than any level-3 cache

    private static readonly ulong[] Memory = CreateMemory();

    /// <summary>Prints a table: for each tokenizer and text the medians of MB (10⁶ bytes of UTF-8) a second, and their ratio to the memory pass that was run right before.</summary>
    public static void Run(IReadOnlyList<string> directories, IReadOnlyList<BenchmarkText> texts, int runs, TextWriter output)
    {
        output.WriteLine("| tokenizer | text | ids, one text | ids, documents | full, one text | full, documents | memory pass GB/s | ids, documents / memory |");
        output.WriteLine("|---|---|---|---|---|---|---|---|");
        foreach (string directory in directories)
        {
            Tokenizer tokenizer = Tokenizer.Load(directory);
            foreach (BenchmarkText text in texts)
                output.WriteLine(Row(Path.GetFileName(directory), tokenizer, text, runs));
        }
    }

    private static string Row(string name, Tokenizer tokenizer, BenchmarkText text, int runs)
    {
        Action[] work =
        [
            () => tokenizer.EncodeToIds(text.Whole, addSpecialTokens: false),
            () => Array.ForEach(text.Documents, d => tokenizer.EncodeToIds(d, addSpecialTokens: false)),
            () => tokenizer.Encode(text.Whole, addSpecialTokens: false),
            () => Array.ForEach(text.Documents, d => tokenizer.Encode(d, addSpecialTokens: false)),
        ];
        var speeds = new double[work.Length][];
        var memory = new double[runs];
        for (int i = 0; i < work.Length; i++)
        {
            speeds[i] = new double[runs];
            work[i]();
        }

        SumOfMemory(); // the first pass also fills the memory
        for (int run = 0; run < runs; run++)
        {
            memory[run] = MemoryPassBytes / Seconds(() => SumOfMemory());
            for (int i = 0; i < work.Length; i++)
                speeds[i][run] = text.Utf8Bytes / Seconds(work[i]);
        }

        double pass = Median(memory);
        return string.Create(CultureInfo.InvariantCulture, $"| {name} | {text.Name} | {Mega(speeds[0])} | {Mega(speeds[1])} | {Mega(speeds[2])} | {Mega(speeds[3])} | {pass / 1e9:F1} | {Median(speeds[1]) / pass:F4} |");
    }

    private static string Mega(double[] bytesPerSecond) => (Median(bytesPerSecond) / 1e6).ToString("F1", CultureInfo.InvariantCulture);

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    /// <summary>Processor time of the whole process, garbage collection included: on a machine that others use too, it says more than the clock.</summary>
    internal static double Seconds(Action work)
    {
        GC.Collect();
        TimeSpan start = Environment.CpuUsage.TotalTime;
        work();
        return (Environment.CpuUsage.TotalTime - start).TotalSeconds;
    }

    /// <summary>Written once: pages that nobody wrote would all be the same one.</summary>
    private static ulong[] CreateMemory()
    {
        var memory = new ulong[MemoryPassBytes / 8];
        for (int i = 0; i < memory.Length; i++)
            memory[i] = (ulong)i;
        return memory;
    }

    private static ulong SumOfMemory()
    {
        Vector<ulong> sum = default;
        for (int i = 0; i < Memory.Length; i += Vector<ulong>.Count)
            sum += new Vector<ulong>(Memory, i);
        return Vector.Sum(sum);
    }
}
