// The standard streams, where each may be closed already when the program begins (`lorabuild … <&-`).
using System.Globalization;

namespace LoraBuild.Worker.Hosting;

/// <summary>
/// The runtime opens files of its own before the program runs, and a closed stream's number is the first that the system gives out: who reads there waits for ever
/// at a pipe of the runtime's. A file that was inherited is never marked to be closed at exec, and those of the runtime always are.
/// </summary>
internal static class StandardStreams
{
    // Linux, asm-generic/fcntl.h; fdinfo has the flags in octal (proc(5)).
    private const int CloseOnExec = 0x80000;

    public static Stream Input() => WasClosed(0) ? new ClosedStream("standard input is closed: redirect something to it, or name a file with --input where there is that option") : Console.OpenStandardInput();

    public static Stream Output() => WasClosed(1) ? new ClosedStream("standard output is closed") : Console.OpenStandardOutput();

    /// <summary>Nobody can be told that nobody can be told.</summary>
    public static Stream Error() => WasClosed(2) ? Stream.Null : Console.OpenStandardError();

    private static bool WasClosed(int number)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{number}");
        if (!Directory.Exists("/proc/self/fdinfo"))
            return false; // not Linux
        if (!File.Exists(path))
            return true;
        string? flags = File.ReadLines(path).FirstOrDefault(line => line.StartsWith("flags:", StringComparison.Ordinal));
        return flags is not null && (Convert.ToInt64(flags["flags:".Length..].Trim(), 8) & CloseOnExec) != 0;
    }

    /// <summary>Every use is an error with these words.</summary>
    private sealed class ClosedStream(string message) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new IOException(message);

        public override void Write(byte[] buffer, int offset, int count) => throw new IOException(message);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
