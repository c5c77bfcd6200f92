// Reads the documents of one source of the recipe: files, rows, conversations, checks, duplicates.
using System.Buffers.Binary;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Data;

internal sealed class SourceReader(Recipe recipe, DataFindings findings, IDiagnosticSink sink)
{
    private readonly string root = Path.GetDirectoryName(Path.GetFullPath(recipe.FilePath))!;

    /// <summary>Hands what the source holds to <paramref name="take"/>, document by document; gives the number of documents that are tokens already.</summary>
    /// <param name="seen">Keys of the documents so far, of this and other sources; grows.</param>
    public int Read(DatasetSource source, HashSet<UInt128> seen, List<SourceReport> reports, Action<DatasetPreparation.Entry> take)
    {
        int tokenDocuments = 0;
        foreach (string path in SourceFiles.Expand(source, sink))
        {
            if (source.Format == "tokens" || (source.Format == "auto" && Path.GetExtension(path) == ".safetensors"))
            {
                tokenDocuments += ReadTokens(path, reports);
            }
            else if (!RowReader.IsKnown(path) || Path.GetExtension(path) == ".safetensors")
            {
                Report("LB0111", $"'{path}' has an ending that is not read; known are .jsonl, .json, .csv, .tsv, .txt, and .safetensors with format: tokens", source);
            }
            else
            {
                ReadRows(path, source, seen, reports, take);
            }
        }

        return tokenDocuments;
    }

    /// <summary>The path from the recipe's folder, with slashes; absolute where it lies elsewhere.</summary>
    public string Relative(string path)
    {
        string relative = Path.GetRelativePath(root, path).Replace('\\', '/');
        return relative.StartsWith("../../..", StringComparison.Ordinal) ? path.Replace('\\', '/') : relative;
    }

    private int ReadTokens(string path, List<SourceReport> reports)
    {
        try
        {
            int count = TokensFile.Read(path).Count;
            reports.Add(new SourceReport(Relative(path), "tokens", count, 0, 0));
            return count;
        }
        catch (DiagnosticException e)
        {
            foreach (Diagnostic diagnostic in e.Diagnostics)
                sink.Report(diagnostic);
            return 0;
        }
    }

    private void ReadRows(string path, DatasetSource source, HashSet<UInt128> seen, List<SourceReport> reports, Action<DatasetPreparation.Entry> take)
    {
        int rejectedBefore = findings.Rejected.Count;
        int rows = 0;
        int duplicates = 0;
        foreach (DataRow row in RowReader.Read(path, findings))
        {
            Conversation conversation;
            try
            {
                conversation = ConversationReader.Read(row.Fields, source.Format, source.Columns, path, row.Line);
            }
            catch (RowException e)
            {
                findings.Reject(e.Code, char.ToUpperInvariant(e.Message[0]) + e.Message[1..] + ".", path, row.Line);
                continue;
            }

            if (!ConversationChecks.Check(conversation, findings))
                continue;
            rows++;
            byte[] hash = CanonicalForm.Hash(conversation);
            UInt128 key = BinaryPrimitives.ReadUInt128LittleEndian(hash);
            if (!seen.Add(key) && recipe.Dataset.Deduplicate)
            {
                duplicates++;
                continue;
            }

            take(new DatasetPreparation.Entry(CanonicalForm.ToLine(conversation with { SourceFile = Relative(path) }), hash, key, source.Weight));
        }

        reports.Add(new SourceReport(Relative(path), source.Format, rows, findings.Rejected.Count - rejectedBefore, duplicates));
    }

    private void Report(string code, string message, DatasetSource source) =>
        sink.Report(Diagnostic.Error(code, message, source.Place.File, source.Place.Line, source.Place.Column));
}
