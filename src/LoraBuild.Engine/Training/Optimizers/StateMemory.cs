// The memory of an optimizer's state in pieces: the first ones resident, those beyond a budget in a file.
using System.Runtime.InteropServices;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>Begins as zeros. Only a window of the paged part is mapped at a time, so that it never counts as resident as a whole.</summary>
internal sealed unsafe class StateMemory : IDisposable
{
    /// <summary>Bytes of the file that are mapped at a time.</summary>
    public const long WindowBytes = 32 << 20;

    private const long Alignment = 64;

    private readonly long[] offsets; // of each piece; of paged ones in the file. One more: the end
    private readonly int residentPieces;
    private readonly nint resident;
    private readonly PagingFile? paged;

    /// <param name="pieceBytes">Size of each piece; no piece is larger than a window.</param>
    /// <param name="pagingPath">Where the file is made; null: everything is resident.</param>
    /// <param name="residentBudget">Bytes that stay resident although there is a file.</param>
    /// <exception cref="Core.Diagnostics.DiagnosticException">LB0640: the file cannot be made.</exception>
    public StateMemory(IReadOnlyList<long> pieceBytes, string? pagingPath, long residentBudget)
    {
        long[] sizes = [.. pieceBytes.Select(b => (b + Alignment - 1) / Alignment * Alignment)];
        long budget = pagingPath is null ? long.MaxValue : residentBudget;
        long used = 0;
        while (residentPieces < sizes.Length && used + sizes[residentPieces] <= budget)
            used += sizes[residentPieces++];
        offsets = new long[sizes.Length + 1];
        for (int i = 0; i < sizes.Length; i++)
            offsets[i + 1] = (i == residentPieces ? 0 : offsets[i]) + sizes[i];
        ResidentBytes = used;
        PagedBytes = residentPieces < sizes.Length ? offsets[^1] : 0;
        if (PagedBytes > 0)
            paged = PagingFile.Create(pagingPath!, PagedBytes);
        resident = used == 0 ? 0 : (nint)NativeMemory.AllocZeroed((nuint)used);
    }

    /// <summary>What to do with a piece; <paramref name="state"/> points to its bytes until it returns.</summary>
    public delegate void Visitor(int piece, nint state);

    public long ResidentBytes { get; }

    public long PagedBytes { get; }

    /// <summary>Visits [first, end), as many at once as tensor arithmetic has threads.</summary>
    public void ForEach(int first, int end, Visitor visit)
    {
        for (int from = first; from < end;)
        {
            if (from < residentPieces)
            {
                int to = Math.Min(end, residentPieces);
                Run(from, to, resident, visit);
                from = to;
            }
            else
            {
                long start = StartOf(from);
                int to = from + 1;
                while (to < end && offsets[to + 1] - start <= WindowBytes)
                    to++;
                using PagingFile.Window window = paged!.Map(start, offsets[to] - start);
                Run(from, to, window.Start - (nint)start, visit);
                from = to;
            }
        }
    }

    public void Clear() => ForEach(0, offsets.Length - 1, (piece, state) => NativeMemory.Clear((void*)state, (nuint)(offsets[piece + 1] - StartOf(piece))));

    public void Dispose()
    {
        NativeMemory.Free((void*)resident);
        paged?.Dispose();
    }

    private long StartOf(int piece) => piece == residentPieces ? 0 : offsets[piece];

    private void Run(int from, int to, nint origin, Visitor visit) =>
        FlatPart.ForEach(to - from, i => visit(from + i, origin + (nint)StartOf(from + i)));
}
