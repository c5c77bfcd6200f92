// Token ids and labels on their way into a safetensors file, whose header needs their number first: kept in two temporary files, not in memory.
using System.Runtime.InteropServices;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Chat;

internal sealed class TokenSpill : IDisposable
{
    private readonly FileStream ids;
    private readonly FileStream labels;
    private readonly List<long> offsets = [0];

    /// <param name="directory">Exists; the two files vanish with this object.</param>
    public TokenSpill(string directory, string name)
    {
        ids = Open(Path.Combine(directory, name + ".ids"));
        labels = Open(Path.Combine(directory, name + ".labels"));
    }

    public int Documents => offsets.Count - 1;

    public long Tokens => offsets[^1];

    public void Append(ReadOnlySpan<int> documentIds, ReadOnlySpan<int> documentLabels)
    {
        ids.Write(MemoryMarshal.AsBytes(documentIds));
        labels.Write(MemoryMarshal.AsBytes(documentLabels));
        offsets.Add(offsets[^1] + documentIds.Length);
    }

    /// <summary>The same bytes as <see cref="TokensFile.Write"/> over all documents.</summary>
    public void WriteTo(string path) => SafetensorsWriter.Write(
        path,
        [
            new TensorToWrite("input_ids", TensorDtype.I32, [Tokens], stream => Copy(ids, stream)),
            new TensorToWrite("labels", TensorDtype.I32, [Tokens], stream => Copy(labels, stream)),
            TensorToWrite.FromInt64("offsets", [offsets.Count], offsets.ToArray()),
        ]);

    public void Dispose()
    {
        ids.Dispose();
        labels.Dispose();
    }

    private static FileStream Open(string path) => new(path, FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);

    private static void Copy(FileStream from, Stream to)
    {
        from.Position = 0;
        from.CopyTo(to, 1 << 20);
        from.Position = from.Length;
    }
}
