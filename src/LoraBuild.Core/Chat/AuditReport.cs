// What the stage `template` found out about the data before anything is trained: audit.json. docs/audit.md explains every field.
namespace LoraBuild.Core.Chat;

/// <param name="Version">Of this form; it rises when a field changes its meaning.</param>
/// <param name="Batches">How the trainer will put the training documents together; null where nobody said how.</param>
/// <param name="LeftOut">Documents of dataset/ that are in no file of tokens/.</param>
public sealed record AuditReport(
    int Version,
    TemplateAudit Template,
    TokenizerAudit? Tokenizer,
    SplitAudit Train,
    SplitAudit Eval,
    SplitAudit Test,
    BatchAudit? Batches,
    IReadOnlyList<AuditFinding> Findings,
    IReadOnlyList<LeftOutDocument> LeftOut)
{
    public const int CurrentVersion = 1;
}

/// <param name="Name">File name or built-in name; null where no document is a conversation.</param>
/// <param name="MarksGeneration">Whether the template marks the assistant's words itself; else they were found by comparing renderings.</param>
public sealed record TemplateAudit(string? Name, bool MarksGeneration, string Loss, int MaxLength, string Truncation);

/// <param name="VocabularySize">Largest token id + 1.</param>
/// <param name="BeginsWithBos">Whether the tokenizer itself puts BOS before a plain text: the family wants one.</param>
/// <param name="PadIsEos">Whether padding is written with the end token; a mask by token would then hide the end.</param>
public sealed record TokenizerAudit(int VocabularySize, string? BosToken, string? EosToken, string? PadToken, bool BeginsWithBos, bool PadIsEos);

/// <param name="Documents">Documents written.</param>
/// <param name="GivenDocuments">Those of them that were tokens already.</param>
/// <param name="TargetTokens">Tokens that are predicted: labels behind the first place that are not −100.</param>
/// <param name="TargetShare">TargetTokens / Tokens.</param>
/// <param name="Skipped">Documents left out; <see cref="AuditReport.LeftOut"/> has them.</param>
public sealed record SplitAudit(
    int Documents,
    int GivenDocuments,
    long Tokens,
    long TargetTokens,
    double TargetShare,
    int Skipped,
    TruncationAudit Truncation,
    TurnEndAudit TurnEnds,
    BosAudit Bos,
    SpecialTokenAudit SpecialTokens,
    UnknownTokenAudit UnknownTokens,
    ConversationAudit Conversations,
    LengthAudit Lengths,
    LengthAudit TargetLengths);

/// <param name="Truncated">Documents that were longer than max_length.</param>
/// <param name="DroppedMessages">Messages that were left out.</param>
/// <param name="Cut">Documents whose end was cut off.</param>
/// <param name="CutAnswers">Documents that lost target tokens where they were cut.</param>
/// <param name="LostTargetTokens">Target tokens behind the cut.</param>
public sealed record TruncationAudit(int Truncated, int DroppedMessages, int Cut, int CutAnswers, long LostTargetTokens);

/// <param name="Turns">Runs of target tokens that end inside their document.</param>
/// <param name="Trained">Those whose last token (blanks aside) is a special token or the end of the text.</param>
/// <param name="Masked">Those with such a token right behind them that is not a target.</param>
/// <param name="Missing">Those with no such token at all.</param>
/// <param name="Tokens">The end tokens that are trained, with their numbers.</param>
public sealed record TurnEndAudit(long Turns, long Trained, long Masked, long Missing, IReadOnlyDictionary<string, long> Tokens);

/// <param name="One">Documents that begin with one BOS token.</param>
/// <param name="Double">Documents with two BOS tokens one after the other.</param>
/// <param name="Missing">Conversations without BOS although the tokenizer puts one before a text.</param>
public sealed record BosAudit(int One, int Double, int Missing);

/// <param name="KeptAsText">Special tokens in words that are not the assistant's.</param>
/// <param name="InAnswers">Special tokens in the assistant's words: they act as control tokens.</param>
/// <param name="ChangedRenderings">Documents that the template renders differently because of a special token in their words.</param>
/// <param name="CrossingTokens">Tokens that begin in the prompt and end in the answer.</param>
public sealed record SpecialTokenAudit(int KeptAsText, int InAnswers, int ChangedRenderings, int CrossingTokens);

/// <param name="Share">Of all tokens.</param>
/// <param name="Examples">The first few pieces of text that are unknown.</param>
public sealed record UnknownTokenAudit(long Tokens, int Documents, double Share, IReadOnlyList<string> Examples);

/// <param name="OutOfOrder">Conversations whose roles are out of order.</param>
/// <param name="EmptyMessages">Conversations with an empty message of the user or the assistant.</param>
/// <param name="CommonestAnswer">How many conversations hold the answer that most of them hold.</param>
/// <param name="AlsoInTraining">Documents that say the same as a training document, whatever their blanks, case and punctuation.</param>
/// <param name="QuestionsInTraining">Conversations whose words before the last answer are those of a training conversation.</param>
public sealed record ConversationAudit(int OutOfOrder, int EmptyMessages, int CommonestAnswer, int AlsoInTraining, int QuestionsInTraining);

/// <param name="Histogram">Documents by length: key "≤64" counts 33…64, and so on.</param>
public sealed record LengthAudit(int Min, int P50, int P90, int P99, int Max, double Mean, IReadOnlyDictionary<string, int> Histogram);

/// <param name="BatchSize">Rows of a micro-batch.</param>
/// <param name="MicroBatches">Of the first epoch.</param>
/// <param name="Rows">With packing: rows of max_length tokens; else one a document.</param>
/// <param name="PackingDensity">Tokens / (rows · max_length); null without packing.</param>
/// <param name="PaddingShare">Padding that a padded batch would hold; null with packing.</param>
/// <param name="WithoutTargets">Micro-batches in which every label is masked.</param>
public sealed record BatchAudit(bool Packing, int BatchSize, int MicroBatches, int Rows, double? PackingDensity, double? PaddingShare, int WithoutTargets);

/// <param name="Documents">How many documents it is about.</param>
/// <param name="Places">The first few as FILE(LINE).</param>
public sealed record AuditFinding(string Code, string Severity, int Documents, string Message, IReadOnlyList<string> Places);

/// <param name="DatasetLine">Its line in dataset/SPLIT.jsonl.</param>
public sealed record LeftOutDocument(string Split, int DatasetLine, string File, int Line, string Code, string Message);

/// <summary>Which rows of documents each micro-batch of the first epoch holds: the trainer's own plan.</summary>
/// <param name="lengths">Tokens of each training document.</param>
public delegate IEnumerable<IReadOnlyList<int[]>> BatchPlanner(IReadOnlyList<int> lengths);
