// What a verb works with while it runs.
using System.CommandLine;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker;

/// <param name="Options">The parsed command line; null while the command line itself is being refused.</param>
public sealed record VerbContext(WorkerHost Host, IReporter Reporter, ParseResult? Options, CancellationToken Cancellation)
{
    public T? Value<T>(Option<T> option) => Options!.GetValue(option);

    public T? Value<T>(Argument<T> argument) => Options!.GetValue(argument);

    /// <summary>A path of the command line, absolute; null where the option is absent.</summary>
    public string? OptionalPath(Option<string> option) => Value(option) is { } path ? Host.Absolute(path) : null;

    public string RequiredPath(Option<string> option) => Host.Absolute(Value(option) ?? throw Missing(option.Name));

    /// <summary>A directory of the command line.</summary>
    /// <exception cref="DiagnosticException">LB0823: it does not exist.</exception>
    public string RequiredDirectory(Option<string> option)
    {
        string directory = RequiredPath(option);
        return Directory.Exists(directory) ? directory : throw new DiagnosticException("LB0823", File.Exists(directory)
            ? $"{option.Name}: {directory} is a file. Name the directory that holds it."
            : $"{option.Name}: the directory {directory} does not exist.");
    }

    /// <exception cref="DiagnosticException">LB0823: it does not exist.</exception>
    public string RequiredFile(Option<string> option)
    {
        string file = RequiredPath(option);
        return File.Exists(file) ? file : throw new DiagnosticException("LB0823", $"{option.Name}: the file {file} does not exist.");
    }

    public static DiagnosticException Missing(string names) => new("LB0820", $"{names} is required.");
}
