// The live line of a training run, fitted to the terminal's width: what matters least goes first.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace LoraBuild.Worker.Hosting;

/// <summary>Fed with the values of progress events, so that terminal and build log tell the same.</summary>
internal sealed class TrainingBar
{
    private const int NarrowestBar = 8;
    private const int WidestBar = 30;
    private const int CurveWidth = 12;
    private const string Gap = "  ";
    private readonly LossTrend trend = new();
    private int lastStep;
    private JsonObject values = [];

    /// <param name="progress">Of the stage train.</param>
    public void Update(JsonObject progress)
    {
        values = progress;
        int step = Number("step") is { } value ? (int)value : 0;
        if (step <= lastStep)
            trend.Clear(); // the run went back
        lastStep = step;
        if (Number("loss") is { } loss)
            trend.Add(loss);
    }

    /// <summary>One line of at most <paramref name="width"/> columns, as Spectre's markup.</summary>
    public string Markup(int width)
    {
        (double step, double steps) = (Number("step") ?? 0, Math.Max(1, Number("steps") ?? 1));
        string loss = Number("loss") is { } value ? Text($"loss {value:F4} {trend.Arrow}").TrimEnd() : "loss –";
        string curve = trend.Curve(CurveWidth);

        // In the order of the line; the number says how soon a part is left out, 0 last.
        (int Rank, string Text, string Style)[] parts =
        [
            (0, Text($"{step:F0}/{steps:F0}"), "bold"),
            (1, loss, trend.Arrow switch { '↘' => "green", '↗' => "yellow", _ => "default" }),
            (6, curve, "grey"),
            (5, Text($"lr {Number("learning_rate"):G3}"), "default"),
            (3, Text($"{Number("tokens_per_second"):N0} tokens/s"), "default"),
            (4, Text($"{Number("peak_memory_bytes") / 1e6:N0} MB"), "default"),
            (2, Clock.Text(TimeSpan.FromSeconds(Number("seconds_left") ?? 0)) + " left", "default"),
        ];
        HashSet<int> shown = [];
        int used = "train".Length;
        foreach ((int rank, string text, _) in parts.Where(p => p.Text.Length > 0).OrderBy(p => p.Rank))
        {
            int room = used + Gap.Length + text.Length;
            if (room > width)
                break;
            used = room;
            shown.Add(rank);
        }

        int bar = Math.Min(WidestBar, width - used - Gap.Length);
        string line = bar >= NarrowestBar ? $"train{Gap}{Bar(step / steps, bar)}" : "train";
        foreach ((int rank, string text, string style) in parts.Where(p => shown.Contains(p.Rank)))
            line += $"{Gap}[{style}]{text.EscapeMarkup()}[/]";
        return line;
    }

    private static string Bar(double share, int width)
    {
        int done = (int)(Math.Clamp(share, 0, 1) * width);
        return $"[green]{new string('━', done)}[/][grey]{new string('─', width - done)}[/]";
    }

    /// <summary>Through its text, because a value is held as the type that it was given as.</summary>
    private double? Number(string name) => values[name] is { } node && node.GetValueKind() == JsonValueKind.Number
        ? double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture)
        : null;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
