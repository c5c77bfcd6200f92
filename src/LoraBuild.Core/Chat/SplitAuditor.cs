// Takes the tokenised documents of one split in order: says what is wrong with each, counts for audit.json, and keeps the tokens.
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Chat;

/// <param name="training">What the training documents say; null in the auditor that is to gather it.</param>
internal sealed class SplitAuditor(string split, TemplateSection section, TokenizerFacts? tokenizer, DataFindings findings, SeenDocuments? training, TokenSpill spill)
{
    private const int MostExamples = 10;

    private readonly List<int> lengths = [];
    private readonly List<int> targets = [];
    private readonly List<LeftOutDocument> leftOut = [];
    private readonly SortedDictionary<string, long> endTokens = new(StringComparer.Ordinal);
    private readonly List<string> unknownExamples = [];
    private readonly RepeatedAnswers answers = new();
    private int truncated, droppedMessages, cut, cutAnswers;
    private long lostTargets;
    private long turns, endsTrained, endsMasked, endsMissing;
    private int oneBos, doubleBos, missingBos;
    private int keptAsText, inAnswers, changedRenderings, crossing;
    private long unknownTokens;
    private int unknownDocuments;
    private int outOfOrder, emptyMessages, alsoInTraining, questionsInTraining;

    public int Documents => lengths.Count;

    public IReadOnlyList<int> Lengths => lengths;

    /// <summary>Target tokens of each document.</summary>
    public IReadOnlyList<int> Targets => targets;

    public IReadOnlyList<LeftOutDocument> LeftOut => leftOut;

    /// <summary>What this split says, for those that must not say it again.</summary>
    public SeenDocuments Seen { get; } = new();

    /// <summary>Documents that are no tokens already.</summary>
    public int Conversations { get; private set; }

    public int WithoutTargets { get; private set; }

    public (string File, int Line)? FirstWithoutTargets { get; private set; }

    public int LargestId { get; private set; } = -1;

    private int Given { get; set; }

    /// <summary>A document that the template or the tokenizer refused.</summary>
    public void Fail(Diagnostic failure, DocumentPlace place)
    {
        string at = failure.Line == 0 ? "" : FormattableString.Invariant($"({failure.Line},{failure.Column})");
        string where = failure.File is null ? "" : $" [{failure.File}{at}]";
        string what = failure.Code == "LB0302" ? "The chat template cannot print this conversation: " : "";
        LeaveOut(failure.Code, what + failure.Message + where, place);
    }

    public void Add(TokenizedDocument document, DocumentFacts facts, DocumentPlace place)
    {
        bool isTruncated = document.DroppedMessages > 0 || document.IsCut;
        truncated += isTruncated ? 1 : 0;
        (string Code, string Message)? refusal = Refusal(document);
        if (refusal is ("LB0314", string tooLong))
        {
            LeaveOut("LB0314", tooLong, place);
            return;
        }

        droppedMessages += document.DroppedMessages;
        cut += document.IsCut ? 1 : 0;
        lostTargets += document.LostTargets;
        if (refusal is (string code, string message))
        {
            WithoutTargets++;
            FirstWithoutTargets ??= (place.File, place.Line);
            LeaveOut(code, message, place);
            return;
        }

        if (document.LostTargets > 0)
        {
            cutAnswers++;
            Warn("LB0315", $"The document has {document.FullLength} tokens; behind {section.MaxLength} it is cut off, with the end of the answer ({document.LostTargets} tokens of it; {document.Targets} are left). Raise template.max_length.", place);
        }

        CheckWords(document, place);
        CheckFacts(facts, place);
        Conversations++;
        Keep(document.Ids, document.Labels, document.IsCut, isConversation: true, place);
    }

    /// <summary>Why a document cannot be trained; null when it can.</summary>
    public (string Code, string Message)? Refusal(TokenizedDocument document)
    {
        if (section.Truncation == "error" && (document.DroppedMessages > 0 || document.IsCut))
            return ("LB0314", $"The document has {document.FullLength} tokens; template.max_length is {section.MaxLength} and template.truncation is error. Raise max_length, or set truncation to drop_turns or cut.");
        if (document.Targets > 0)
            return null;
        return ("LB0313", document.LostTargets > 0
            ? $"The document has {document.FullLength} tokens, and what is left of {section.MaxLength} holds none of the answer, so it cannot be trained. Raise template.max_length, shorten the document, or leave such documents out with dataset.on_error: skip."
            : "Every label of the document is masked, so it cannot be trained. Check its train: marks and the template's generation marks, or leave such documents out with dataset.on_error: skip.");
    }

    /// <summary>The usable half of a pair whose other half was told to be unusable.</summary>
    public void LeaveOutOtherHalf(DocumentPlace place) =>
        leftOut.Add(new LeftOutDocument(split, place.DatasetLine, place.Name, place.Line, "LB0371", "The other answer of its pair is left out."));

    /// <summary>A document that is tokens already: taken as it is, even when nothing of it can be trained.</summary>
    public void AddGiven(TokenDocument document, DocumentPlace place)
    {
        Given++;
        if (TokenizedDocument.CountTargets(document.Labels.Span, 1) == 0)
        {
            WithoutTargets++;
            FirstWithoutTargets ??= (place.File, place.Line);
            Warn("LB0339", $"Every label of document {place.DatasetLine} of the file is masked; nothing of it is trained.", place);
        }

        ulong hash = DocumentFacts.Hash(document.InputIds.Span);
        CheckFacts(new DocumentFacts(hash, null, [], false, false), place);
        if (tokenizer is not null && tokenizer.Tokenizer.UnkTokenId is int unknown && unknown != tokenizer.Tokenizer.EosTokenId)
            CountUnknown(document.InputIds.Span.Count(unknown), [], place);
        Keep(document.InputIds.Span, document.Labels.Span, isCut: false, isConversation: false, place);
    }

    /// <summary>What can be said only when all documents are there.</summary>
    public void Finish()
    {
        if (answers.IsSuspicious(Conversations))
            findings.Warn("LB0333", $"{answers.Most} of {Conversations} conversations of {split} hold the same answer: \"{answers.Text}\". Remove most of them, unless the model is to say it that often.", answers.First.File, answers.First.Line);
    }

    public SplitAudit ToAudit()
    {
        long tokens = spill.Tokens;
        long targetTokens = targets.Sum(t => (long)t);
        return new SplitAudit(
            Documents, Given, tokens, targetTokens, Share(targetTokens, tokens), leftOut.Count,
            new TruncationAudit(truncated, droppedMessages, cut, cutAnswers, lostTargets),
            new TurnEndAudit(turns, endsTrained, endsMasked, endsMissing, endTokens),
            new BosAudit(oneBos, doubleBos, missingBos),
            new SpecialTokenAudit(keptAsText, inAnswers, changedRenderings, crossing),
            new UnknownTokenAudit(unknownTokens, unknownDocuments, Share(unknownTokens, tokens), unknownExamples),
            new ConversationAudit(outOfOrder, emptyMessages, answers.Most, alsoInTraining, questionsInTraining),
            LengthStatistics.Of(lengths),
            LengthStatistics.Of(targets));
    }

    private static string SpecialTokens(IReadOnlyList<string> tokens) => tokens.Count == 1 ? "the special token" : "the special tokens";

    private static double Share(long part, long whole) => whole == 0 ? 0 : Math.Round(part / (double)whole, 4);

    private void CheckWords(TokenizedDocument document, DocumentPlace place)
    {
        keptAsText += document.Injected.Count;
        if (document.Injected.Count > 0)
            Warn("LB0317", $"Words that are not the assistant's hold {SpecialTokens(document.Injected)} {string.Join(", ", document.Injected)}; kept as text, not a control token.", place);
        inAnswers += document.SpokenControls.Count;
        if (document.SpokenControls.Count > 0)
            Warn("LB0332", $"The assistant's words hold {SpecialTokens(document.SpokenControls)} {string.Join(", ", document.SpokenControls)}: a control token there, and trained as one. Remove it, unless the model is to say it.", place);
        changedRenderings += document.ChangesRendering ? 1 : 0;
        if (document.ChangesRendering)
            Warn("LB0330", $"The template looks for the special token {string.Join(", ", document.Injected)} in the words and writes something else when it finds it. Here it is kept as text and not found, so what is trained differs from what the template gives for this conversation. Remove the token from the data.", place);
        crossing += document.CrossingTokens;
        if (document.CrossingTokens > 0)
            Warn("LB0334", "A token begins in the prompt and ends in the answer. When the model generates, the prompt ends there and is cut into other tokens than those trained. Let the template's generation mark begin where the generation prompt ends, blanks included.", place);
        CountUnknown(document.UnknownPieces.Count, document.UnknownPieces, place);
    }

    private void CountUnknown(int count, IReadOnlyList<string> pieces, DocumentPlace place)
    {
        if (count == 0)
            return;
        unknownTokens += count;
        unknownDocuments++;
        foreach (string piece in pieces)
        {
            if (unknownExamples.Count < MostExamples && !unknownExamples.Contains(piece))
                unknownExamples.Add(piece);
        }

        string shown = pieces.Count == 0 ? "" : $": {string.Join(", ", pieces.Distinct().Take(MostExamples).Select(p => $"'{p}'"))}";
        Warn("LB0318", $"{count} tokens are unknown to the tokenizer ({tokenizer!.Tokenizer.UnkToken}){shown}. The model sees none of these characters; check the encoding of the data.", place);
    }

    private void CheckFacts(DocumentFacts facts, DocumentPlace place)
    {
        outOfOrder += facts.IsOutOfOrder ? 1 : 0;
        emptyMessages += facts.HasEmptyMessage ? 1 : 0;
        answers.Add(facts.Answers, place.File, place.Line);
        if (training is null)
        {
            Seen.Add(facts);
            return;
        }

        questionsInTraining += training.HasQuestion(facts) ? 1 : 0;
        if (!training.HasContent(facts))
            return;
        alsoInTraining++;
        Warn("LB0335", $"A document of {split} says the same as a training document (blanks, case and punctuation aside), so what is measured on it is what was learned by heart. Remove it from one of the two.", place);
    }

    private void Keep(ReadOnlySpan<int> ids, ReadOnlySpan<int> labels, bool isCut, bool isConversation, DocumentPlace place)
    {
        if (tokenizer is not null)
        {
            CheckEnds(tokenizer, tokenizer.Ends.Of(ids, labels, isCut), isConversation, place);
            CheckBos(tokenizer, ids, isConversation, place);
        }

        spill.Append(ids, labels);
        lengths.Add(ids.Length);
        targets.Add(TokenizedDocument.CountTargets(labels, 1));
        foreach (int id in ids)
            LargestId = Math.Max(LargestId, id);
    }

    private void CheckEnds(TokenizerFacts facts, DocumentEnds ends, bool isConversation, DocumentPlace place)
    {
        turns += ends.Turns;
        endsTrained += ends.Trained.Count;
        endsMasked += ends.Masked;
        endsMissing += ends.Missing;
        foreach (int id in ends.Trained)
            endTokens[facts.NameOf(id)] = endTokens.GetValueOrDefault(facts.NameOf(id)) + 1;
        if (ends.MaskedToken is int masked && facts.PadIsEos && masked == facts.Tokenizer.EosTokenId)
            Warn("LB0337", $"The end token {facts.NameOf(masked)} is also the padding token, and its label is masked behind an answer, as by a mask over padding. The model will not learn to stop. Mask by position, not by token, or give the tokenizer a padding token of its own.", place);
        else if (ends.MaskedToken is int end)
            Warn("LB0319", $"The token {facts.NameOf(end)} behind an answer is not trained, so the model will not learn to stop. Put the token that ends the turn inside {{% generation %}}.", place);
        else if (ends.Missing > 0 && isConversation)
            Warn("LB0319", "Behind an answer stands no special token, so the model will not learn to stop. Let the template end each turn of the assistant with one, inside {% generation %}.", place);
    }

    private void CheckBos(TokenizerFacts facts, ReadOnlySpan<int> ids, bool isConversation, DocumentPlace place)
    {
        if (facts.Bos is not int bos)
            return;
        if (ids.IndexOf([bos, bos]) >= 0)
        {
            doubleBos++;
            Warn("LB0316", $"Two BOS tokens ({facts.NameOf(bos)}) follow one another; one is enough and two were never seen by the model. Remove that of the data or that of the template.", place);
        }
        else if (ids.Length > 0 && ids[0] == bos)
        {
            oneBos++;
        }
        else if (facts.BeginsWithBos && isConversation)
        {
            missingBos++;
            Warn("LB0331", $"The conversation does not begin with {facts.NameOf(bos)}, which this tokenizer puts before every text: the chat template writes none. Begin the template with {{{{ bos_token }}}}.", place);
        }
    }

    private void Warn(string code, string message, DocumentPlace place) => findings.Warn(code, message, place.File, place.Line);

    private void LeaveOut(string code, string message, DocumentPlace place)
    {
        leftOut.Add(new LeftOutDocument(split, place.DatasetLine, place.Name, place.Line, code, message));
        findings.Reject(code, message, place.File, place.Line);
    }
}

/// <param name="File">Absolute, for diagnostics.</param>
/// <param name="Name">As dataset/ names it, for audit.json.</param>
/// <param name="Line">In <paramref name="File"/>; 0 for tokens.</param>
/// <param name="DatasetLine">In dataset/SPLIT.jsonl; for tokens the number of the document in its file.</param>
internal readonly record struct DocumentPlace(string File, string Name, int Line, int DatasetLine);

/// <summary>Hashes of what a split says: 16 bytes a document.</summary>
internal sealed class SeenDocuments
{
    private readonly HashSet<ulong> contents = [];
    private readonly HashSet<ulong> questions = [];

    public void Add(DocumentFacts facts)
    {
        contents.Add(facts.Content);
        if (facts.Question is ulong question)
            questions.Add(question);
    }

    public bool HasContent(DocumentFacts facts) => contents.Contains(facts.Content);

    public bool HasQuestion(DocumentFacts facts) => facts.Question is ulong question && questions.Contains(question);
}
