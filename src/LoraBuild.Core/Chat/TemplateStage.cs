// The stage `template`: dataset/*.jsonl becomes tokens/*.safetensors, and audit.json says what will be trained. Documents pass through in blocks.
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
    /// <summary>Documents that are in memory at once.</summary>
    private const int Block = 1024;

    /// <param name="outputDirectory">The pipeline's directory: <c>dataset/</c> is read, <c>tokens/</c> and <c>audit.json</c> are written.</param>
    /// <exception cref="DiagnosticException">LB0301–LB0339, all errors together, those of a document at its data file and line; nothing was written.</exception>
    public static AuditReport Run(Recipe recipe, string outputDirectory, string tokenizerDirectory, IDiagnosticSink sink, TemplateStageOptions? options = null)
    {
        options ??= new TemplateStageOptions();
        DiagnosticBag bag = new(sink);
        SplitName[] names = Enum.GetValues<SplitName>();
        string[] files = [.. names.Select(s => DatasetFile(outputDirectory, s))];
        bool hasDocuments = files.Any(f => new FileInfo(f).Length > 0);
        // Data that are tokens already need no tokenizer; where there is one, it serves the audit.
        bool hasTokenizer = Tokenizer.FileNames.Any(name => File.Exists(Path.Combine(tokenizerDirectory, name)));
        Tokenizer? tokenizer = hasDocuments || hasTokenizer ? Tokenizer.Load(tokenizerDirectory, bag) : null;
        ChatTemplate? template = tokenizer is not null && files.Any(HasConversation)
            ? TemplateChoice.Load(recipe.Template.ChatTemplate, tokenizer, tokenizerDirectory, recipe.PlaceOf("template.chat_template"))
            : null;
        if (template is not null && FirstConversation(files) is { } example)
            TemplateTokens.Check(template, tokenizer!, example, recipe.Template.Now, recipe.PlaceOf("template.chat_template"), bag);
        TokenizerFacts? facts = tokenizer is null ? null : new(tokenizer);
        DocumentSource documents = new(tokenizer is null ? null : new DocumentTokenizer(tokenizer, template, recipe.Template), recipe, options);
        TokenSources given = TokenSources.Read(recipe, bag);
        DataFindings findings = new(bag, recipe.Dataset.OnError == "skip");

        string spillDirectory = Path.Combine(outputDirectory, FormattableString.Invariant($".tokens.{Environment.ProcessId}.tmp"));
        Directory.CreateDirectory(spillDirectory);
        TokenSpill[] spills = [.. names.Select(s => new TokenSpill(spillDirectory, s.ToString()))];
        try
        {
            SplitAuditor[] auditors = new SplitAuditor[names.Length];
            foreach (SplitName name in names)
            {
                int i = (int)name;
                string split = Path.GetFileNameWithoutExtension(files[i]);
                auditors[i] = new SplitAuditor(split, recipe.Template, facts, findings, name == SplitName.Train ? null : auditors[0].Seen, spills[i]);
                documents.Tokenize(files[i], auditors[i], Block);
                foreach ((TokenDocument document, string path, int number) in given.Of(name))
                    auditors[i].AddGiven(document, new DocumentPlace(path, Path.GetFileName(path), 0, number));
                auditors[i].Finish();
            }

            findings.Finish();
            bag.ThrowIfErrors();
            CheckWhole(recipe, tokenizer, auditors, bag);
            bag.ThrowIfErrors();
            BatchAudit? batches = options.Plan is null ? null : BatchAuditor.Audit(recipe, auditors[0], options.Plan, bag);
            foreach (SplitName name in names)
                spills[(int)name].WriteTo(Path.Combine(outputDirectory, "tokens", Path.ChangeExtension(DatasetPreparation.FileName(name), ".safetensors")));
            AuditReport report = new(
                AuditReport.CurrentVersion,
                new TemplateAudit(template is null ? null : Path.GetFileName(template.Name), template?.MarksGeneration ?? false, recipe.Template.Loss, recipe.Template.MaxLength, recipe.Template.Truncation),
                facts?.ToAudit(),
                auditors[0].ToAudit(),
                auditors[1].ToAudit(),
                auditors[2].ToAudit(),
                batches,
                [.. AuditFindings.Of(findings, bag, documents.Folder)],
                [.. auditors.SelectMany(a => a.LeftOut)]);
            AtomicFile.WriteAllText(Path.Combine(outputDirectory, "audit.json"), JsonSerializer.Serialize(report, DatasetPreparation.ReportJson) + "\n");
            return report;
        }
        finally
        {
            foreach (TokenSpill spill in spills)
                spill.Dispose();
            Directory.Delete(spillDirectory, recursive: true);
        }
    }

    private static string DatasetFile(string outputDirectory, SplitName split)
    {
        string path = Path.Combine(outputDirectory, "dataset", DatasetPreparation.FileName(split));
        return File.Exists(path) ? path : throw new DiagnosticException("LB0308", $"'{path}' does not exist. Run the stage prepare first.", path);
    }

    /// <summary>Texts and completions need no chat template. Inside a text the quotes would be escaped.</summary>
    private static bool HasConversation(string file) => File.ReadLines(file).Any(IsConversation);

    private static bool IsConversation(string line) => line.Contains("\"messages\":", StringComparison.Ordinal);

    /// <returns>Null where it is not in the canonical form; it gets its diagnostic when its turn comes.</returns>
    private static Conversation? FirstConversation(IEnumerable<string> files)
    {
        try
        {
            return CanonicalForm.FromLine(files.SelectMany(File.ReadLines).First(IsConversation));
        }
        catch (Exception e) when (DocumentSource.IsNotCanonical(e))
        {
            return null;
        }
    }

    private static void CheckWhole(Recipe recipe, Tokenizer? tokenizer, SplitAuditor[] auditors, DiagnosticBag bag)
    {
        SplitAuditor train = auditors[0];
        if (train.Targets.All(t => t == 0))
        {
            RecipePlace place = recipe.PlaceOf("template");
            (string? file, int line) = train.FirstWithoutTargets ?? (place.File, place.Line);
            bag.Report(Diagnostic.Error("LB0312", train.FirstWithoutTargets is null
                ? "No training document is left to tokenise; see the findings above."
                : $"Every label of all {train.WithoutTargets} training documents is masked, so nothing would be trained. Look at the first with `lorabuild render`; raise template.max_length ({recipe.Template.MaxLength}), or mend the template's generation marks.", file, line));
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
