// What a verb may use of its process. The only place that touches Console and the environment.
using System.Text;

namespace LoraBuild.Worker.Hosting;

/// <summary>Streams and environment of one run of the program; a test gives its own.</summary>
/// <param name="Output">Results, UTF-8.</param>
/// <param name="Error">Everything else.</param>
/// <param name="CurrentDirectory">Paths of the command line are relative to it.</param>
public sealed record WorkerHost(Stream Input, Stream Output, TextWriter Error, Func<string, string?> Environment, string CurrentDirectory, bool IsTerminal)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Whether standard error is a terminal that can draw a line anew.</summary>
    public bool IsLive { get; init; }

    public static WorkerHost OfProcess() => new(
        StandardStreams.Input(),
        StandardStreams.Output(),
        TextWriter.Synchronized(new StreamWriter(StandardStreams.Error(), Utf8) { AutoFlush = true }),
        System.Environment.GetEnvironmentVariable,
        Directory.GetCurrentDirectory(),
        !Console.IsOutputRedirected)
    {
        IsLive = !Console.IsErrorRedirected && System.Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb"),
    };

    /// <summary>A writer over <see cref="Output"/>; the caller flushes or disposes it.</summary>
    public StreamWriter OpenOutput() => new(Output, Utf8, 1 << 16, leaveOpen: true) { NewLine = "\n" };

    public string Absolute(string path) => Path.GetFullPath(path, CurrentDirectory);

    /// <summary>The Hugging Face caches of this machine, in the order of search.</summary>
    public IReadOnlyList<string> ModelCaches() => HubSettings.Caches(Environment);
}
