// Lines on a terminal, and below them one that is drawn anew as work goes on.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using Spectre.Console;

namespace LoraBuild.Worker.Hosting;

/// <summary>
/// The live line is always the last one: whatever is told takes its place and it is drawn again below. The cursor is never hidden and the line never longer than the
/// terminal is wide, so that a program that is killed in the middle leaves a terminal that needs no mending.
/// </summary>
public sealed class TerminalReporter : IReporter, IDisposable
{
    private const string EraseLine = "\r\u001b[2K";
    private static readonly TimeSpan BetweenDraws = TimeSpan.FromMilliseconds(50);

    private readonly Lock gate = new();
    private readonly IAnsiConsole console;
    private readonly TimeProvider clock;
    private readonly TextReporter lines;
    private readonly TrainingBar training = new();
    private readonly Func<int> width;
    private string? live; // the newest progress, as its text says it
    private bool isTraining;
    private bool isDrawn;
    private long? lastDraw;

    /// <param name="error">The terminal.</param>
    /// <param name="width">Its columns now; null: asked of the terminal.</param>
    /// <param name="hasColor">False: NO_COLOR is set.</param>
    public TerminalReporter(TextWriter error, Func<int>? width, bool hasColor, TimeProvider clock, WarningPolicy? warnings = null)
    {
        lines = new TextReporter(error, warnings);
        this.clock = clock;
        AnsiConsoleOutput output = new(error);
        this.width = width ?? (() => output.Width);
        console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = output,
            Ansi = AnsiSupport.Yes,
            ColorSystem = hasColor ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
    }

    public bool HasErrors => lines.HasErrors;

    public WarningPolicy Warnings => lines.Warnings;

    public bool IsLive => true;

    public void Report(Diagnostic diagnostic) => Above(() => lines.Report(diagnostic));

    public void Message(string text) => Above(() => lines.Message(text));

    public void Progress(string text, JsonObject values)
    {
        lock (gate)
        {
            live = text;
            isTraining = values.ContainsKey("loss");
            if (isTraining)
                training.Update(values);
            if (lastDraw is not { } last || clock.GetElapsedTime(last) >= BetweenDraws)
                Draw();
        }
    }

    /// <summary>The stage is done: its live line goes.</summary>
    public void Result(JsonObject values) => Clear();

    public void Dispose() => Clear();

    private void Clear()
    {
        lock (gate)
        {
            Erase();
            live = null;
        }
    }

    private void Above(Action write)
    {
        lock (gate)
        {
            Erase();
            write();
            if (live is not null)
                Draw();
        }
    }

    private void Draw()
    {
        Erase();
        int columns = Math.Max(1, width() - 3); // the last one would wrap on some terminals, and a Ctrl-C writes ^C behind the line
        console.Profile.Width = columns + 3;
        if (isTraining)
            console.Write(new Markup(training.Markup(columns)));
        else
            console.Write(new Text(live!.Length <= columns ? live : live[..columns]));
        isDrawn = true;
        lastDraw = clock.GetTimestamp();
    }

    private void Erase()
    {
        if (isDrawn)
            console.Write(new ControlCode(EraseLine));
        isDrawn = false;
    }
}
