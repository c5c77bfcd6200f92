// The published figures as a Markdown table: what docs/memory.md holds and `plan --published` prints.
using System.Globalization;
using System.Text;

namespace LoraBuild.Engine.Planning;

public static class PublishedTable
{
    public static string Markdown()
    {
        StringBuilder text = new();
        text.Append("| row | published GB | formula GB | ratio | weights | adapter + gradients + optimizer | activations + scratch | logits | tokens that come within 15 % |\n|---|---|---|---|---|---|---|---|---|\n");
        foreach (PublishedFigure figure in PublishedFigures.All)
        {
            MemoryPlan plan = figure.Plan;
            string tokens = figure.TokensWithin(PublishedFigures.Tolerance) is (long least, long most) ? $"{least} – {most}" : "none";
            text.Append(CultureInfo.InvariantCulture, $"| {figure.Row} | {figure.PublishedBytes / 1e9:0.###} | {plan.PeakBytes / 1e9:F1} | {figure.Ratio:F2} | {Gigabytes(plan["weights"])} | {Gigabytes(plan["adapter"] + plan["gradients"] + plan["optimizer"])} | {Gigabytes(plan["activations"] + plan["scratch"])} | {Gigabytes(plan["logits"])} | {tokens} |\n");
        }

        text.Append('\n');
        foreach (PublishedFigure figure in PublishedFigures.All)
            text.Append(CultureInfo.InvariantCulture, $"- {figure.Row}: {figure.Assumptions}.\n");
        text.Append('\n');
        foreach (IGrouping<string, PublishedFigure> doubt in PublishedFigures.All.Where(f => f.Doubt is not null).GroupBy(f => f.Doubt!))
            text.Append(CultureInfo.InvariantCulture, $"Doubts about {string.Join(", ", doubt.Select(d => d.Row))}: {doubt.Key}\n\n");
        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static string Gigabytes(long bytes) => (bytes / 1e9).ToString("F2", CultureInfo.InvariantCulture);
}
