// The two tables of a training run: what is trained, and what it was and became. Rows of text, as a table or as lines.
using System.Globalization;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

/// <param name="Columns">Their names; the first one is of what a row is about.</param>
internal sealed record TextTable(IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows);

internal static class TrainingTables
{
    private static readonly string[] ParameterColumns = ["module", "modules", "r or shape", "parameters", "of all"];

    /// <summary>One row a module type, then all that is trained, then all there is.</summary>
    public static TextTable Parameters(TrainingStarted started)
    {
        List<IReadOnlyList<string>> rows = [.. started.Groups.Select(g => new[] { g.Module, Number(g.Modules), g.Form, Number(g.Parameters), Percent(g.Parameters, started) })];
        rows.Add(["trainable", "", "", Number(started.TrainableParameters), Percent(started.TrainableParameters, started)]);
        rows.Add(["all", "", "", Number(started.AllParameters), ""]);
        return new TextTable(ParameterColumns, rows);
    }

    /// <summary>The rows of <see cref="Parameters"/> that a log needs: it has the sums in the line before.</summary>
    public static IEnumerable<string> ParameterLines(TrainingStarted started) => started.Groups.Select(g => string.Create(
        CultureInfo.InvariantCulture,
        $"train:   {g.Module}: {g.Modules} × {(g.Form.Length > 0 ? g.Form : "bias")}, {g.Parameters:N0} parameters"));

    /// <summary>Null where nothing was measured: no evaluation data.</summary>
    public static TextTable? BeforeAndAfter(TrainingSummary summary)
    {
        if (summary.Before is null && summary.After is null)
            return null;
        List<IReadOnlyList<string>> rows =
        [
            Row("evaluation loss", summary, f => f.Loss.ToString("F4", CultureInfo.InvariantCulture)),
            Row("perplexity", summary, f => f.Perplexity.ToString("F3", CultureInfo.InvariantCulture)),
        ];
        if ((summary.Before ?? summary.After)!.Preference is not null)
        {
            rows.Add(Row("pairs preferred rightly", summary, f => f.Preference!.Accuracy.ToString("P1", CultureInfo.InvariantCulture)));
            rows.Add(Row("margin", summary, f => f.Preference!.Margin.ToString("F4", CultureInfo.InvariantCulture)));
        }

        return new TextTable(["", "before", summary.AfterStep is { } step ? $"after (step {step})" : "after"], rows);
    }

    /// <summary>A line a row, for a log.</summary>
    public static IEnumerable<string> Lines(TextTable table) =>
        table.Rows.Select(row => $"train:   {row[0]}: {string.Join(", ", row.Zip(table.Columns).Skip(1).Select(cell => $"{cell.Second} {cell.First}"))}");

    public static IEnumerable<string> Markdown(TextTable table) =>
        new[] { table.Columns, [.. table.Columns.Select((_, i) => i == 0 ? "---" : "---:")] }.Concat(table.Rows).Select(cells => $"| {string.Join(" | ", cells)} |");

    private static IReadOnlyList<string> Row(string name, TrainingSummary summary, Func<EvaluationFigures, string> text) =>
        [name, summary.Before is { } before ? text(before) : "–", summary.After is { } after ? text(after) : "–"];

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(long value, TrainingStarted started) => (100.0 * value / started.AllParameters).ToString("F3", CultureInfo.InvariantCulture) + " %";
}
