// What must hold of documents before the first step: there are targets, and every token is in the vocabulary.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Training;

/// <param name="Documents">How many.</param>
/// <param name="Tokens">All tokens.</param>
/// <param name="Targets">Tokens that are predicted.</param>
public sealed record TrainingDataSummary(int Documents, long Tokens, long Targets);

public static class TrainingData
{
    /// <param name="documents">Training or evaluation documents.</param>
    /// <param name="what">"training" or "evaluation", for messages.</param>
    /// <param name="vocabSize">Rows of the embedding.</param>
    /// <exception cref="DiagnosticException">LB0601: no documents. LB0602: no target token. LB0604: a token that the model does not have.</exception>
    public static TrainingDataSummary Check(TokenDocuments documents, string what, int vocabSize)
    {
        if (documents.Count == 0)
            throw new DiagnosticException("LB0601", $"there is no {what} document. Check dataset.sources and dataset.split, and the counts in dataset/report.json.");

        long targets = 0;
        List<long> positions = [];
        List<long> ids = [];
        for (int d = 0; d < documents.Count; d++)
        {
            TokenDocument document = documents[d];
            CheckIds(document.InputIds.Span, d, what, vocabSize);
            positions.Clear();
            ids.Clear();
            LabelShift.Append(document.Labels.Span, 0, positions, ids);
            if (ids.FindIndex(id => id < 0 || id >= vocabSize) is >= 0 and int wrong)
                throw OutsideVocabulary(ids[wrong], d, what, vocabSize);
            targets += ids.Count;
        }

        if (targets == 0)
            throw new DiagnosticException("LB0602", $"every label of the {documents.Count} {what} documents is masked, so there is nothing to learn. Check template.loss ('all' trains every token) and audit.json.");
        return new TrainingDataSummary(documents.Count, documents.InputIds.Length, targets);
    }

    private static void CheckIds(ReadOnlySpan<int> ids, int document, string what, int vocabSize)
    {
        int place = ids.IndexOfAnyExceptInRange(0, vocabSize - 1);
        if (place >= 0)
            throw OutsideVocabulary(ids[place], document, what, vocabSize);
    }

    private static DiagnosticException OutsideVocabulary(long id, int document, string what, int vocabSize) =>
        new("LB0604", $"{what} document {document} has token id {id}, but the model knows 0 … {vocabSize - 1}. The tokens were made with another model's tokenizer: set base.tokenizer to the model's own, or make the tokens again.");
}
