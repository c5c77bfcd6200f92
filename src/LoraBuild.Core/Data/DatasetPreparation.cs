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
        List<Entry> given = [];
        List<Entry> evaluation = [];
        int tokenDocuments = 0;
        foreach (DatasetSource source in recipe.Dataset.Sources)
            tokenDocuments += reader.Read(source, given, sources);
        foreach (DatasetSource source in recipe.Dataset.Split.EvalSources)
            tokenDocuments += reader.Read(source, evaluation, sources);
        findings.Finish();
        bag.ThrowIfErrors();

        HashSet<string> heldOut = [.. evaluation.Select(e => e.Key)];
        int leaked = given.RemoveAll(e => heldOut.Contains(e.Key));
        if (leaked > 0)
            bag.Report(Diagnostic.Warning("LB0116", $"{leaked} training documents are also in the evaluation sources; they are not trained.", recipe.FilePath));
        List<string>[] lines = Split(recipe, given, evaluation);
        CheckSizes(recipe, lines, tokenDocuments, bag);
        bag.ThrowIfErrors();

        string directory = Path.Combine(outputDirectory, "dataset");
        SplitReport[] splits = [.. lines.Select((l, i) => Write(directory, (SplitName)i, l))];
        PrepareReport report = new(sources, sources.Sum(s => s.Duplicates), leaked, tokenDocuments, splits[0], splits[1], splits[2],
            [.. findings.Rejected.Select(r => r with { File = reader.Relative(r.File) })]);
        AtomicFile.WriteAllText(Path.Combine(directory, "report.json"), JsonSerializer.Serialize(report, ReportJson) + "\n");
        return report;
    }

    private static List<string>[] Split(Recipe recipe, List<Entry> given, List<Entry> evaluation)
    {
        List<string>[] lines = [[], [], []];
        SplitSection split = recipe.Dataset.Split;
        double eval = evaluation.Count > 0 ? 0 : split.Eval;
        foreach (Entry entry in given)
        {
            SplitName name = DocumentSplit.Of(entry.Hash, recipe.Seed, eval, split.Test);
            int copies = name == SplitName.Train ? DocumentSplit.Copies(entry.Hash, recipe.Seed, entry.Weight) : 1;
            for (int i = 0; i < copies; i++)
                lines[(int)name].Add(entry.Line);
        }

        lines[(int)SplitName.Eval].AddRange(evaluation.Select(e => e.Line));
        return lines;
    }

    private static void CheckSizes(Recipe recipe, List<string>[] lines, int tokenDocuments, DiagnosticBag bag)
    {
        RecipePlace place = recipe.PlaceOf("dataset.sources");
        int all = lines.Sum(l => l.Count);
        if (all + tokenDocuments == 0)
            bag.Report(Diagnostic.Error("LB0109", "No conversation is left: the sources hold none that can be trained. report.json of a run with on_error: skip lists why lines were rejected.", place.File, place.Line, place.Column));
        else if (tokenDocuments == 0 && lines[0].Count == 0)
            bag.Report(Diagnostic.Error("LB0109", $"All {all} conversations are held out for evaluation, none is left to train. Lower dataset.split.eval or give more data.", place.File, place.Line, place.Column));
        else if (tokenDocuments == 0 && recipe.Dataset.Split.Eval > 0 && lines[1].Count == 0)
            bag.Report(Diagnostic.Warning("LB0114", $"dataset.split.eval is {recipe.Dataset.Split.Eval.ToString(System.Globalization.CultureInfo.InvariantCulture)} but by their content hashes none of {all} conversations fell into it. Name eval_sources, or give more data.", place.File, place.Line, place.Column));
    }

    private static SplitReport Write(string directory, SplitName name, List<string> lines)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AtomicFile.Write(Path.Combine(directory, FileName(name)), stream =>
        {
            foreach (string line in lines)
            {
                byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
                stream.Write(bytes);
                hash.AppendData(bytes);
            }
        });
        return new SplitReport(lines.Count, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    internal static string FileName(SplitName name) => name switch
    {
        SplitName.Train => "train.jsonl",
        SplitName.Eval => "eval.jsonl",
        _ => "test.jsonl",
    };

    /// <param name="Key">The content hash as text.</param>
    internal sealed record Entry(string Line, byte[] Hash, string Key, double Weight);
}
