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
        ParallelOptions parallel = new() { MaxDegreeOfParallelism = options.Threads, CancellationToken = options.Cancellation };
        foreach (string[] block in File.ReadLines(file).Chunk(blockSize))
        {
            Result[] results = new Result[block.Length];
            int first = line + 1;
            Parallel.For(0, block.Length, parallel, i => results[i] = Tokenize(block[i], file, first + i));
            foreach (Result result in results)
            {
                if (result.Document is { } document)
                    auditor.Add(document, result.Facts!, result.Place);
                else
                    auditor.Fail(result.Failure!, result.Place);
            }

            line += block.Length;
        }
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
            return new Result(null, null, new Diagnostic("LB0309", DiagnosticSeverity.Error, $"The line is not in the canonical form that the stage prepare writes: {e.Message}"), new DocumentPlace(file, Path.GetFileName(file), line, line));
        }

        DocumentPlace place = new(Path.GetFullPath(conversation.SourceFile, Folder), conversation.SourceFile, conversation.SourceLine, line);
        try
        {
            return new Result(tokenizer!.Tokenize(conversation), DocumentFacts.Of(conversation), null, place);
        }
        catch (DiagnosticException e)
        {
            return new Result(null, null, e.Diagnostics[0], place);
        }
    }

    /// <summary>What reading a line of dataset/ throws when it was not made by the stage prepare.</summary>
    internal static bool IsNotCanonical(Exception e) => e is JsonException or InvalidOperationException or FormatException or RowException;

    private readonly record struct Result(TokenizedDocument? Document, DocumentFacts? Facts, Diagnostic? Failure, DocumentPlace Place);
}
