// Gathers the tokenised documents of one split in order, counts what the audit reports, and says what is wrong with single ones.
using System.Globalization;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

internal sealed class SplitAuditor(TemplateSection section, Tokenizer? tokenizer, DataFindings findings)
{
    private readonly List<int> ids = [];
    private readonly List<int> labels = [];
    private readonly List<long> offsets = [0];
    private readonly HashSet<int> endIds = [.. tokenizer?.AddedTokens.Where(t => t.Special).Select(t => t.Id) ?? [], .. tokenizer?.EosTokenId is int eos ? new[] { eos } : []];
    private int skipped;
    private int truncated;
    private int droppedMessages;
    private int cut;
    private int doubleBos;
    private int injected;
    private int unknown;

    public int Documents => offsets.Count - 1;

    /// <summary>Documents that were not tokens already.</summary>
    public int Conversations { get; private set; }

    public int EndTokenTrained { get; private set; }

    public int WithoutTargets { get; private set; }

    public (string? File, int Line)? FirstWithoutTargets { get; private set; }

    public int LargestId { get; private set; } = -1;

    /// <summary>A document that the template or the tokenizer refused.</summary>
    public void Fail(Diagnostic failure, string file, int line)
    {
        skipped++;
        string place = failure.File is null ? "" : string.Create(CultureInfo.InvariantCulture, $" [{failure.File}({failure.Line},{failure.Column})]");
        findings.Reject(failure.Code, failure.Message + place, file, line);
    }

    public void Add(TokenizedDocument document, string file, int line)
    {
        if (document.DroppedTurns > 0 || document.IsCut)
        {
            truncated++;
            if (section.Truncation == "error")
            {
                skipped++;
                findings.Reject("LB0314", $"The document has {document.FullLength} tokens; template.max_length is {section.MaxLength} and template.truncation is error. Raise max_length, or set truncation to drop_turns or cut.", file, line);
                return;
            }
        }

        droppedMessages += document.DroppedTurns;
        cut += document.IsCut ? 1 : 0;
        if (document.Targets == 0)
        {
            skipped++;
            WithoutTargets++;
            FirstWithoutTargets ??= (file, line);
            findings.Warn("LB0313", document.IsCut
                ? $"The document has {document.FullLength} tokens, and what is left of {section.MaxLength} holds none of the answer; it is skipped. Raise template.max_length."
                : "Every label of the document is masked; it is skipped.", file, line);
            return;
        }

        if (document.IsCut)
            findings.Warn("LB0315", $"The document has {document.FullLength} tokens; behind {section.MaxLength} it is cut off, with the end of the answer. Raise template.max_length.", file, line);
        if (document.Injected.Count > 0)
        {
            injected += document.Injected.Count;
            findings.Warn("LB0317", $"A message that is not the assistant's holds the special token {string.Join(", ", document.Injected)}; it is kept as text and does not act as a control token.", file, line);
        }

        if (tokenizer?.BosTokenId is int bos && document.Ids.Length > 1 && document.Ids[0] == bos && document.Ids[1] == bos)
        {
            doubleBos++;
            findings.Warn("LB0316", "The document begins with two BOS tokens; the template writes one and another stands in the text.", file, line);
        }

        if (tokenizer?.UnkTokenId is int unk && document.Ids.Count(i => i == unk) is > 0 and int count)
        {
            unknown += count;
            findings.Warn("LB0318", $"{count} tokens are unknown to the tokenizer ({tokenizer.UnkToken}).", file, line);
        }

        Conversations++;
        int last = Array.FindLastIndex(document.Labels, l => l != TokensFile.IgnoredLabel);
        EndTokenTrained += endIds.Contains(document.Labels[last]) ? 1 : 0;
        Append(document.Ids, document.Labels);
    }

    /// <summary>A document that is tokens already.</summary>
    public void AddGiven(TokenDocument document) => Append(document.InputIds.Span, document.Labels.Span);

    public TokenDocuments ToDocuments() => new([.. ids], [.. labels], [.. offsets]);

    public SplitAudit ToAudit()
    {
        int[] lengths = [.. Enumerable.Range(0, Documents).Select(i => (int)(offsets[i + 1] - offsets[i]))];
        return new SplitAudit(Documents, ids.Count, labels.Count(l => l != TokensFile.IgnoredLabel), skipped, truncated, droppedMessages, cut, WithoutTargets, doubleBos, injected, unknown, EndTokenTrained,
            lengths.DefaultIfEmpty(0).Max(), Density(lengths), Histogram(lengths));
    }

    private void Append(ReadOnlySpan<int> documentIds, ReadOnlySpan<int> documentLabels)
    {
        ids.AddRange(documentIds);
        labels.AddRange(documentLabels);
        offsets.Add(ids.Count);
        foreach (int id in documentIds)
            LargestId = Math.Max(LargestId, id);
    }

    private static SortedDictionary<string, int> Histogram(int[] lengths)
    {
        SortedDictionary<string, int> histogram = new(Comparer<string>.Create((a, b) => a.Length != b.Length ? a.Length.CompareTo(b.Length) : string.CompareOrdinal(a, b)));
        foreach (int length in lengths)
        {
            long edge = 16;
            while (edge < length)
                edge *= 2;
            string key = "≤" + edge.ToString(CultureInfo.InvariantCulture);
            histogram[key] = histogram.GetValueOrDefault(key) + 1;
        }

        return histogram;
    }

    /// <summary>First-fit decreasing over rows of max_length; the rows' free space is kept by size.</summary>
    private double Density(int[] lengths)
    {
        int row = Math.Max(section.MaxLength, lengths.DefaultIfEmpty(0).Max());
        int[] rowsWithSpace = new int[row + 1];
        long rows = 0;
        foreach (int length in lengths.Where(l => l > 0).OrderDescending())
        {
            int space = length;
            while (space <= row && rowsWithSpace[space] == 0)
                space++;
            if (space > row)
            {
                rows++;
                space = row;
                rowsWithSpace[space]++;
            }

            rowsWithSpace[space]--;
            rowsWithSpace[space - length]++;
        }

        return rows == 0 ? 0 : Math.Round(lengths.Sum(l => (long)l) / (double)(rows * row), 4);
    }
}
