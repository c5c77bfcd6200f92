// Paged pieces take part in a pass like resident ones, and only a window of them is ever mapped.
using System.Globalization;
using LoraBuild.Engine.Training.Optimizers;

namespace LoraBuild.Engine.Tests.Training.Optimizers;

public sealed unsafe class StateMemoryTests
{
    private const long Megabyte = 1 << 20;

    [Fact]
    public void Resident_pages_of_the_file_never_exceed_a_window_although_every_byte_is_written()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "state.paged");
        using StateMemory memory = new([.. Enumerable.Repeat(Megabyte, 96)], path, residentBudget: 8 * Megabyte);
        Assert.Equal((8 * Megabyte, 88 * Megabyte), (memory.ResidentBytes, memory.PagedBytes));
        long most = 0;
        Lock gate = new();
        for (int pass = 1; pass <= 2; pass++)
        {
            memory.ForEach(0, 96, (piece, state) =>
            {
                Span<byte> bytes = new((void*)state, (int)Megabyte);
                byte before = (byte)(pass == 1 ? 0 : piece + 1);
                Assert.True(bytes.IndexOfAnyExcept(before) < 0, $"piece {piece} is not what the pass before wrote");
                bytes.Fill((byte)(piece + pass));
                if (piece % 8 == 7)
                {
                    long resident = ResidentBytesOf(path);
                    lock (gate)
                        most = Math.Max(most, resident);
                }
            });
        }

        Assert.InRange(most, Megabyte, StateMemory.WindowBytes);
        Assert.Equal(0, ResidentBytesOf(path));
        memory.Clear();
        memory.ForEach(0, 96, (piece, state) => Assert.True(new Span<byte>((void*)state, (int)Megabyte).IndexOfAnyExcept((byte)0) < 0));
    }

    [Fact]
    public void Pieces_of_odd_sizes_do_not_touch_one_another()
    {
        using TemporaryDirectory directory = new();
        long[] sizes = [1, 4097, 63, 64, 65, 100_001, 7];
        using StateMemory memory = new(sizes, Path.Combine(directory.Path, "p"), residentBudget: 5000);
        memory.ForEach(0, sizes.Length, (piece, state) => new Span<byte>((void*)state, (int)sizes[piece]).Fill((byte)(piece + 1)));
        for (int i = 0; i < sizes.Length; i++)
            memory.ForEach(i, i + 1, (piece, state) => Assert.True(new Span<byte>((void*)state, (int)sizes[piece]).IndexOfAnyExcept((byte)(piece + 1)) < 0));
        Assert.InRange(memory.ResidentBytes, 4097, 5000);
    }

    // proc(5): a line that ends with the path begins a mapping, "Rss: 123 kB" belongs to it.
    private static long ResidentBytesOf(string path)
    {
        long total = 0;
        bool isOurs = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            if (!line.Contains("kB", StringComparison.Ordinal) && line.Contains('-', StringComparison.Ordinal))
                isOurs = line.EndsWith(path, StringComparison.Ordinal);
            else if (isOurs && line.StartsWith("Rss:", StringComparison.Ordinal))
                total += long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }

        return total;
    }
}
