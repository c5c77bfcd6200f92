// The audit in a few lines that a person wants to read.
using System.Globalization;

namespace LoraBuild.Core.Chat;

public static class AuditSummary
{
    public static IEnumerable<string> Lines(AuditReport audit)
    {
        SplitAudit train = audit.Train;
        yield return Text($"template: {train.Documents:N0} documents to train on, {audit.Eval.Documents:N0} held out, {audit.Test.Documents:N0} for testing; {audit.LeftOut.Count:N0} left out");
        yield return Text($"  tokens   {train.Tokens:N0}, {train.TargetTokens:N0} of them trained ({train.TargetShare:P1}); loss: {audit.Template.Loss}");
        yield return Text($"  lengths  half ≤ {train.Lengths.P50:N0}, 90% ≤ {train.Lengths.P90:N0}, longest {train.Lengths.Max:N0}; trained per document: half ≤ {train.TargetLengths.P50:N0}, longest {train.TargetLengths.Max:N0}");
        if (audit.Batches is { } batches)
        {
            yield return batches.PackingDensity is double density
                ? Text($"  batches  {batches.MicroBatches:N0} an epoch; {batches.Rows:N0} packed rows of {audit.Template.MaxLength:N0}, {density:P1} full")
                : Text($"  batches  {batches.MicroBatches:N0} an epoch of {batches.BatchSize:N0} documents; {batches.PaddingShare:P1} would be padding (none is computed)");
        }

        TruncationAudit truncation = train.Truncation;
        if (truncation.Truncated > 0)
            yield return Text($"  too long {truncation.Truncated:N0} documents over {audit.Template.MaxLength:N0} tokens: {truncation.DroppedMessages:N0} old messages dropped, {truncation.CutAnswers:N0} answers cut");
        if (train.TurnEnds.Turns > 0)
        {
            string tokens = string.Join(", ", train.TurnEnds.Tokens.OrderByDescending(t => t.Value).ThenBy(t => t.Key, StringComparer.Ordinal).Take(3).Select(t => t.Key));
            yield return Text($"  ends     {train.TurnEnds.Trained:N0} of {train.TurnEnds.Turns:N0} trained answers end with a token that is trained{(tokens.Length > 0 ? $" ({tokens})" : "")}");
        }

        int warnings = audit.Findings.Count(f => f.Severity == "warning");
        yield return warnings == 0 ? "  audit    nothing suspicious; details in audit.json" : Text($"  audit    {warnings} kinds of warnings ({string.Join(", ", audit.Findings.Where(f => f.Severity == "warning").Select(f => f.Code))}); details in audit.json");
    }

    private static string Text(FormattableString text) => text.ToString(WithoutBlank);

    /// <summary>"42.3%" as people write it; the invariant culture puts a blank before the sign.</summary>
    private static readonly CultureInfo WithoutBlank = Culture();

    private static CultureInfo Culture()
    {
        CultureInfo culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        culture.NumberFormat.PercentPositivePattern = 1;
        return culture;
    }
}
