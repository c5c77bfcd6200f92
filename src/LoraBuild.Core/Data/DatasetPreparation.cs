// The stage `prepare`: reads the recipe's sources, removes duplicates, splits, and writes dataset/{train,eval,test}.jsonl and report.json.
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Data;

public static class DatasetPreparation
{
    internal static readonly JsonSerializerOptions ReportJson = new()
    {
        WriteIndented = true,
        IndentSize = 2,
        NewLine = "\n",
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <param name="outputDirectory">The pipeline's directory; files go to its <c>dataset/</c>.</param>
    /// <exception cref="DiagnosticException">LB0101–LB0119, all errors together, each at its file and line.</exception>
    public static PrepareReport Run(Recipe recipe, string outputDirectory, IDiagnosticSink sink)
    {
        DiagnosticBag bag = new(sink);
        DataFindings findings = new(bag, recipe.Dataset.OnError == "skip");
        SourceReader reader = new(recipe, findings, bag);
        List<SourceReport> sources = [];
        List<SourceReport> evaluationSources = [];
        HashSet<UInt128> given = [];
        HashSet<UInt128> heldOut = [];
        int leaked = 0;
        int tokenDocuments = 0;
        string directory = Path.Combine(outputDirectory, "dataset");
        using SplitWriter train = new(directory, SplitName.Train);
        using SplitWriter eval = new(directory, SplitName.Eval);
        using SplitWriter test = new(directory, SplitName.Test);

        // First what is held out, so that training documents that are in it can be left out as they come.
        foreach (DatasetSource source in recipe.Dataset.Split.EvalSources)
            tokenDocuments += reader.Read(source, heldOut, evaluationSources, entry => eval.Write(entry.Line));
        double evalShare = heldOut.Count > 0 ? 0 : recipe.Dataset.Split.Eval;
        foreach (DatasetSource source in recipe.Dataset.Sources)
            tokenDocuments += reader.Read(source, given, sources, Take);
        findings.Finish();
        bag.ThrowIfErrors();
        if (leaked > 0)
            bag.Report(Diagnostic.Warning("LB0116", $"{leaked} training documents are also in the evaluation sources; they are not trained.", recipe.FilePath));
        CheckSizes(recipe, findings.Rejected.Count, train.Documents, eval.Documents, train.Documents + eval.Documents + test.Documents, tokenDocuments, bag);
        bag.ThrowIfErrors();

        PrepareReport report = new([.. sources, .. evaluationSources], sources.Concat(evaluationSources).Sum(s => s.Duplicates), leaked, tokenDocuments, train.Commit(), eval.Commit(), test.Commit(),
            [.. findings.Rejected.Select(r => r with { File = reader.Relative(r.File) })]);
        AtomicFile.WriteAllText(Path.Combine(directory, "report.json"), JsonSerializer.Serialize(report, ReportJson) + "\n");
        return report;

        void Take(Entry entry)
        {
            if (heldOut.Contains(entry.Key))
            {
                leaked++;
                return;
            }

            SplitName name = DocumentSplit.Of(entry.Hash, recipe.Seed, evalShare, recipe.Dataset.Split.Test);
            int copies = name == SplitName.Train ? DocumentSplit.Copies(entry.Hash, recipe.Seed, entry.Weight) : 1;
            for (int i = 0; i < copies; i++)
                (name switch { SplitName.Train => train, SplitName.Eval => eval, _ => test }).Write(entry.Line);
        }
    }

    private static void CheckSizes(Recipe recipe, int rejected, int train, int eval, int all, int tokenDocuments, DiagnosticBag bag)
    {
        RecipePlace place = recipe.PlaceOf("dataset.sources");
        if (all + tokenDocuments == 0)
            bag.Report(Diagnostic.Error("LB0109", $"No document is left to train: {(rejected == 0 ? "the sources are empty" : $"all {rejected} lines of the sources were rejected, see the findings above")}.", place.File, place.Line, place.Column));
        else if (tokenDocuments == 0 && train == 0)
            bag.Report(Diagnostic.Error("LB0109", $"All {all} conversations are held out for evaluation, none is left to train. Lower dataset.split.eval or give more data.", place.File, place.Line, place.Column));
        else if (tokenDocuments == 0 && recipe.Dataset.Split.Eval > 0 && eval == 0)
            bag.Report(Diagnostic.Warning("LB0114", $"dataset.split.eval is {recipe.Dataset.Split.Eval.ToString(System.Globalization.CultureInfo.InvariantCulture)} but by their content hashes none of {all} conversations fell into it. Name eval_sources, or give more data.", place.File, place.Line, place.Column));
    }

    internal static string FileName(SplitName name) => name switch
    {
        SplitName.Train => "train.jsonl",
        SplitName.Eval => "eval.jsonl",
        _ => "test.jsonl",
    };

    /// <param name="Key">Half of the content hash: enough to tell documents apart.</param>
    internal sealed record Entry(string Line, byte[] Hash, UInt128 Key, double Weight);

    /// <summary>One file of dataset/, written as the documents come.</summary>
    private sealed class SplitWriter(string directory, SplitName name) : IDisposable
    {
        private readonly PendingFile file = new(Path.Combine(directory, FileName(name)));
        private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public int Documents { get; private set; }

        public void Write(string line)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
            file.Stream.Write(bytes);
            hash.AppendData(bytes);
            Documents++;
        }

        public SplitReport Commit()
        {
            file.Commit();
            return new SplitReport(Documents, Convert.ToHexStringLower(hash.GetHashAndReset()));
        }

        public void Dispose()
        {
            file.Dispose();
            hash.Dispose();
        }
    }
}
