// How a verb tells what it does: as text for people, or as JSON-lines events for the tasks.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker.Hosting;

/// <summary>Safe to call from any thread. An error that was reported before is not reported again.</summary>
public interface IReporter : IDiagnosticSink
{
    bool HasErrors { get; }

    /// <summary>What becomes of warnings; findings that are reported pass through it.</summary>
    WarningPolicy Warnings { get; }

    /// <summary>Whether progress is one line that is drawn anew: then it may come as often as there is some.</summary>
    bool IsLive => false;

    void Message(string text);

    /// <param name="text">The line for people.</param>
    /// <param name="values">The same as data.</param>
    void Progress(string text, JsonObject values);

    /// <summary>What the verb found or made; in text mode the verb prints that itself.</summary>
    void Result(JsonObject values);
}
