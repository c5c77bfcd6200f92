// Writes a file so that its final name only ever stands for complete content.
using System.Text;

namespace LoraBuild.Core.IO;

public static class AtomicFile
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Writes to a temporary file in the same folder, flushes it to the disk, then renames it over <paramref name="path"/>. When <paramref name="write"/> throws, the temporary file is removed and an older file stays as it was.</summary>
    public static void Write(string path, Action<FileStream> write)
    {
        using PendingFile file = new(path);
        write(file.Stream);
        file.Commit();
    }

    public static void WriteAllText(string path, string text) => WriteAllBytes(path, Utf8.GetBytes(text));

    public static void WriteAllBytes(string path, ReadOnlyMemory<byte> bytes) => Write(path, stream => stream.Write(bytes.Span));

    /// <summary>Writes text line by line through a UTF-8 writer with <c>\n</c> ends.</summary>
    public static void WriteLines(string path, Action<TextWriter> write) => Write(path, stream =>
    {
        using StreamWriter writer = new(stream, Utf8, 1 << 16, leaveOpen: true) { NewLine = "\n" };
        write(writer);
    });
}
