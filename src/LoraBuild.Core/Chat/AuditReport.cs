// What the stage `template` found out about the data before anything is trained: audit.json.
namespace LoraBuild.Core.Chat;

/// <param name="Template">File name or built-in name of the chat template; null where no document is a conversation.</param>
/// <param name="MarksGeneration">Whether the template marks the assistant's words itself; else they were found by comparing renderings.</param>
/// <param name="VocabularySize">Largest token id + 1; null where the data are tokens already and the model has no tokenizer.</param>
public sealed record AuditReport(string? Template, bool MarksGeneration, string Loss, int MaxLength, int? VocabularySize, bool PadIsEos, SplitAudit Train, SplitAudit Eval, SplitAudit Test);

/// <param name="Documents">Documents written.</param>
/// <param name="Skipped">Documents left out: the template refused them, or they have no target.</param>
/// <param name="Truncated">Documents that were longer than max_length.</param>
/// <param name="DroppedMessages">Messages that truncation left out.</param>
/// <param name="Cut">Documents whose end was cut off.</param>
/// <param name="WithoutTargets">Documents skipped because every label was masked.</param>
/// <param name="DoubleBos">Documents that begin with two BOS tokens.</param>
/// <param name="InjectedSpecialTokens">Special tokens in users' words, kept as text.</param>
/// <param name="EndTokenTrained">Documents whose last target is a special token: the end of the turn or of the text.</param>
/// <param name="PackingDensity">Share of rows of max_length that documents fill when packed, largest first.</param>
/// <param name="LengthHistogram">Documents by length in tokens: key "≤64" counts 33…64, and so on.</param>
public sealed record SplitAudit(
    int Documents,
    long Tokens,
    long TargetTokens,
    int Skipped,
    int Truncated,
    int DroppedMessages,
    int Cut,
    int WithoutTargets,
    int DoubleBos,
    int InjectedSpecialTokens,
    int UnknownTokens,
    int EndTokenTrained,
    int LongestTokens,
    double PackingDensity,
    IReadOnlyDictionary<string, int> LengthHistogram);
