// Reads a split of dataset/ in blocks: a block is tokenised by all threads and audited in order, so findings and bytes are the same every time.
using System.Text.Json;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Chat;

/// <param name="tokenizer">Null where all data are tokens already.</param>
internal sealed class DocumentSource(DocumentTokenizer? tokenizer, Recipe recipe, TemplateStageOptions options)
{
    /// <summary>The recipe's; dataset/ names its sources from here.</summary>
    public string Folder { get; } = Path.GetDirectoryName(Path.GetFullPath(recipe.FilePath))!;

    /// <param name="blockSize">Documents that are in memory at once.</param>
    public void Tokenize(string file, SplitAuditor auditor, int blockSize)
    {
        int line = 0;
        Result? waiting = null; // the first half of a pair, for the second
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = options.Threads, CancellationToken = options.Cancellation };
        foreach (string[] block in File.ReadLines(file).Chunk(blockSize))
        {
            Result[] results = new Result[block.Length];
            int first = line + 1;
            Parallel.For(0, block.Length, parallel, i => results[i] = Tokenize(block[i], file, first + i));
            foreach (Result result in results)
            {
                if (waiting is { } chosen && result.Half == "rejected")
                {
                    waiting = null;
                    AddPair(auditor, chosen, result);
                    continue;
                }

                if (waiting is { } alone)
                    Add(auditor, alone);
                waiting = result.Half == "chosen" ? result : null;
                if (waiting is null)
                    Add(auditor, result);
            }

            line += block.Length;
        }

        if (waiting is { } last)
            Add(auditor, last);
    }

    private static void Add(SplitAuditor auditor, Result result)
    {
        if (result.Document is { } document)
            auditor.Add(document, result.Facts!, result.Place);
        else
            auditor.Fail(result.Failure!, result.Place);
    }

    /// <summary>An answer without the one that it is compared with teaches nothing: both stay, or none.</summary>
    private static void AddPair(SplitAuditor auditor, Result chosen, Result rejected)
    {
        bool isChosenUsable = chosen.Document is { } better && auditor.Refusal(better) is null;
        bool isRejectedUsable = rejected.Document is { } worse && auditor.Refusal(worse) is null;
        if (isChosenUsable && isRejectedUsable && PreferencePairs.Difference(chosen.Document!, rejected.Document!) is string difference)
        {
            auditor.Fail(Diagnostic.Error("LB0372", difference), chosen.Place);
            auditor.LeaveOutOtherHalf(rejected.Place);
            return;
        }

        // One finding a line: the better answer's where both are unusable.
        if (isChosenUsable && !isRejectedUsable)
            auditor.LeaveOutOtherHalf(chosen.Place);
        else
            Add(auditor, chosen);
        if (isChosenUsable)
            Add(auditor, rejected);
        else
            auditor.LeaveOutOtherHalf(rejected.Place);
    }

    private Result Tokenize(string text, string file, int line)
    {
        Conversation conversation;
        try
        {
            conversation = CanonicalForm.FromLine(text);
        }
        catch (Exception e) when (IsNotCanonical(e))
        {
            // Not made by the stage prepare, or edited.
            return new Result(null, null, new Diagnostic("LB0309", DiagnosticSeverity.Error, $"The line is not in the canonical form that the stage prepare writes: {e.Message}"), new DocumentPlace(file, Path.GetFileName(file), line, line), null);
        }

        DocumentPlace place = new(Path.GetFullPath(conversation.SourceFile, Folder), conversation.SourceFile, conversation.SourceLine, line);
        try
        {
            return new Result(tokenizer!.Tokenize(conversation), DocumentFacts.Of(conversation), null, place, conversation.Half);
        }
        catch (DiagnosticException e)
        {
            return new Result(null, null, e.Diagnostics[0], place, conversation.Half);
        }
    }

    /// <summary>What reading a line of dataset/ throws when it was not made by the stage prepare.</summary>
    internal static bool IsNotCanonical(Exception e) => e is JsonException or InvalidOperationException or FormatException or RowException;

    private readonly record struct Result(TokenizedDocument? Document, DocumentFacts? Facts, Diagnostic? Failure, DocumentPlace Place, string? Half);
}
