// ApplyChatTemplate: dataset/ and the tokenizer → tokens/.
using System.Globalization;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker.Stages;

internal static class TemplateWork
{
    public static void Run(StageWork work)
    {
        string dataset = work.Layout.Dataset;
        if (!Directory.Exists(dataset))
            throw new DiagnosticException("LB0831", $"{dataset} does not exist. Run the stage before: lorabuild prepare --recipe … --output {work.Layout.Root}");

        // The stage reads and writes beneath one directory; in the work directory it finds the data set under its usual name.
        string seen = work.At(dataset);
        if (OperatingSystem.IsWindows())
            Copy(dataset, seen);
        else
            Directory.CreateSymbolicLink(seen, dataset);
        AuditReport audit = TemplateStage.Run(work.Recipe, work.Work, work.TokenizerDirectory(), work.Reporter);
        work.Reporter.Message(string.Create(
            CultureInfo.InvariantCulture,
            $"template: {audit.Train.Documents:N0} documents, {audit.Train.Tokens:N0} tokens ({audit.Train.TargetTokens:N0} targets), {audit.Train.Skipped:N0} left out, {audit.Train.Truncated:N0} shortened to {audit.MaxLength:N0} tokens"));
    }

    /// <summary>A link needs a privilege on Windows.</summary>
    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
