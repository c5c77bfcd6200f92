// ApplyChatTemplate: dataset/ and the tokenizer → tokens/.
using System.Globalization;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Stages;

internal static class TemplateWork
{
    /// <param name="threads">Null: all cores.</param>
    public static void Run(StageWork work, int? threads)
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
        TrainOptions training = TrainOptionsBuilder.From(work.Recipe, externalIdentity: "");
        TemplateStageOptions options = new()
        {
            Threads = threads ?? Environment.ProcessorCount,
            Plan = lengths => BatchPlan.Create(lengths, training).RowsOfEpoch(0),
            Cancellation = work.Cancellation,
        };
        AuditReport audit = TemplateStage.Run(work.Recipe, work.Work, work.TokenizerDirectory(), work.Reporter, options);
        foreach (string line in AuditSummary.Lines(audit))
            work.Reporter.Message(line);
        if (PreferencePairs.Mark(work.Work, audit.LeftOut) is > 0 and int pairs)
            work.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"template: {pairs:N0} preference pairs to train"));
    }

    /// <summary>A link needs a privilege on Windows.</summary>
    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }
}
