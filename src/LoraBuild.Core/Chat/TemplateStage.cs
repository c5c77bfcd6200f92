// The stage `template`: dataset/*.jsonl becomes tokens/*.safetensors, and audit.json says what will be trained.
using System.Text.Json;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

public static class TemplateStage
{
    /// <param name="outputDirectory">The pipeline's directory: <c>dataset/</c> is read, <c>tokens/</c> and <c>audit.json</c> are written.</param>
    /// <exception cref="DiagnosticException">LB0301–LB0320, all errors together, those of a document at its data file and line.</exception>
    public static AuditReport Run(Recipe recipe, string outputDirectory, string tokenizerDirectory, IDiagnosticSink sink)
    {
        DiagnosticBag bag = new(sink);
        Conversation[][] splits = [.. Enum.GetValues<SplitName>().Select(s => ReadSplit(outputDirectory, s))];
        // Data that are tokens already need no tokenizer; where there is one, it serves the audit.
        Tokenizer? tokenizer = splits.Any(s => s.Length > 0) || File.Exists(Path.Combine(tokenizerDirectory, "tokenizer.json"))
            ? Tokenizer.Load(tokenizerDirectory, bag)
            : null;
        ChatTemplate? template = tokenizer is not null && splits.Any(s => s.Any(d => d.Messages.Count > 0))
            ? TemplateChoice.Load(recipe.Template.ChatTemplate, tokenizer, tokenizerDirectory, recipe.PlaceOf("template.chat_template"))
            : null;
        DocumentTokenizer? documents = tokenizer is null ? null : new(tokenizer, template, recipe.Template);
        TokenSources given = TokenSources.Read(recipe, bag);
        DataFindings findings = new(bag, recipe.Dataset.OnError == "skip");
        SplitAuditor[] auditors = [.. splits.Select((s, i) => Tokenize(recipe, tokenizer, documents, s, given.Of((SplitName)i), findings))];
        findings.Finish();
        bag.ThrowIfErrors();
        CheckWhole(recipe, tokenizer, auditors, bag);
        bag.ThrowIfErrors();

        string directory = Path.Combine(outputDirectory, "tokens");
        foreach ((SplitAuditor auditor, int i) in auditors.Select((a, i) => (a, i)))
            TokensFile.Write(Path.Combine(directory, Path.ChangeExtension(DatasetPreparation.FileName((SplitName)i), ".safetensors")), auditor.ToDocuments());
        AuditReport report = new(
            template is null ? null : Path.GetFileName(template.Name),
            template?.MarksGeneration ?? false,
            recipe.Template.Loss,
            recipe.Template.MaxLength,
            tokenizer?.VocabularySize,
            tokenizer?.PadTokenId is int pad && pad == tokenizer.EosTokenId,
            auditors[0].ToAudit(),
            auditors[1].ToAudit(),
            auditors[2].ToAudit());
        AtomicFile.WriteAllText(Path.Combine(outputDirectory, "audit.json"), JsonSerializer.Serialize(report, DatasetPreparation.ReportJson) + "\n");
        return report;
    }

    private static Conversation[] ReadSplit(string outputDirectory, SplitName split)
    {
        string path = Path.Combine(outputDirectory, "dataset", DatasetPreparation.FileName(split));
        return File.Exists(path)
            ? [.. File.ReadLines(path).Select(CanonicalForm.FromLine)]
            : throw new DiagnosticException("LB0308", $"'{path}' does not exist. Run the stage prepare first.", path);
    }

    /// <summary>Documents are tokenised in parallel and audited in order, so that findings and bytes are the same every time.</summary>
    private static SplitAuditor Tokenize(Recipe recipe, Tokenizer? tokenizer, DocumentTokenizer? documents, Conversation[] conversations, IReadOnlyList<TokenDocument> given, DataFindings findings)
    {
        (TokenizedDocument? Document, Diagnostic? Failure)[] results = new (TokenizedDocument?, Diagnostic?)[conversations.Length];
        Parallel.For(0, conversations.Length, i =>
        {
            try
            {
                results[i].Document = documents!.Tokenize(conversations[i]);
            }
            catch (DiagnosticException e)
            {
                results[i].Failure = e.Diagnostics[0];
            }
        });
        string folder = Path.GetDirectoryName(Path.GetFullPath(recipe.FilePath))!;
        SplitAuditor auditor = new(recipe.Template, tokenizer, findings);
        for (int i = 0; i < results.Length; i++)
        {
            string file = Path.GetFullPath(conversations[i].SourceFile, folder);
            if (results[i].Document is { } document)
                auditor.Add(document, file, conversations[i].SourceLine);
            else
                auditor.Fail(results[i].Failure!, file, conversations[i].SourceLine);
        }

        foreach (TokenDocument document in given)
            auditor.AddGiven(document);
        return auditor;
    }

    private static void CheckWhole(Recipe recipe, Tokenizer? tokenizer, SplitAuditor[] auditors, DiagnosticBag bag)
    {
        SplitAuditor train = auditors[0];
        if (train.Documents == 0)
        {
            RecipePlace place = recipe.PlaceOf("template");
            (string? file, int line) = train.FirstWithoutTargets ?? (place.File, place.Line);
            bag.Report(Diagnostic.Error("LB0312", train.FirstWithoutTargets is null
                ? "No training document is left to tokenise; see the findings above."
                : $"Every label of all {train.WithoutTargets} training documents is masked, so nothing would be trained. Look at the first with `lorabuild render`; raise template.max_length ({recipe.Template.MaxLength}), or mend the template's generation marks.", file, line));
        }
        else if (train.EndTokenTrained == 0 && train.Conversations > 0)
        {
            bag.Report(Diagnostic.Warning("LB0319", "In no training document is a special token trained at the end of the assistant's turn, so the model will not learn to stop. Put the token that ends the turn inside {% generation %}.", recipe.PlaceOf("template.chat_template").File, recipe.PlaceOf("template.chat_template").Line));
        }

        string config = Path.Combine(recipe.Base.Model, "config.json");
        if (!File.Exists(config))
            return;
        int vocabulary = ModelConfig.Load(recipe.Base.Model).VocabSize;
        int largest = auditors.Max(a => a.LargestId);
        if (largest >= vocabulary)
            bag.Report(Diagnostic.Error("LB0320", $"Token id {largest} ({tokenizer?.IdToToken(largest) ?? "unknown"}) does not fit the model: its vocabulary has {vocabulary} ids. The tokenizer belongs to another model; set base.tokenizer to the right one.", config));
    }
}
