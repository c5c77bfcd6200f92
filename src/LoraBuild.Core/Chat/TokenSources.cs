// Sources of the recipe that are tokens already. They are taken as they are: in file order, all to training, unless the recipe itself sets a split.
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Chat;

internal sealed class TokenSources
{
    private readonly List<(TokenDocument Document, string Path, int Number)>[] splits = [[], [], []];

    private TokenSources()
    {
    }

    public static TokenSources Read(Recipe recipe, IDiagnosticSink sink)
    {
        TokenSources sources = new();
        SplitSection split = recipe.Dataset.Split;
        bool isSplit = split.EvalSources.Count == 0 && (recipe.Places.ContainsKey("dataset.split.eval") || recipe.Places.ContainsKey("dataset.split.test"));
        foreach ((TokenDocument Document, string Path, int Number) document in recipe.Dataset.Sources.SelectMany(s => Documents(s, sink)))
        {
            SplitName name = SplitName.Train;
            if (isSplit)
                name = DocumentSplit.Of(SHA256.HashData(MemoryMarshal.AsBytes(document.Document.InputIds.Span)), recipe.Seed, recipe.Places.ContainsKey("dataset.split.eval") ? split.Eval : 0, split.Test);
            sources.splits[(int)name].Add(document);
        }

        sources.splits[(int)SplitName.Eval].AddRange(split.EvalSources.SelectMany(s => Documents(s, sink)));
        return sources;
    }

    /// <summary>Each document with its file and its number there, from 1.</summary>
    public IReadOnlyList<(TokenDocument Document, string Path, int Number)> Of(SplitName split) => splits[(int)split];

    private static IEnumerable<(TokenDocument Document, string Path, int Number)> Documents(DatasetSource source, IDiagnosticSink sink)
    {
        if (source.Format is not ("tokens" or "auto"))
            yield break;
        foreach (string path in SourceFiles.Expand(source, sink).Where(p => source.Format == "tokens" || Path.GetExtension(p) == ".safetensors"))
        {
            TokenDocuments documents = TokensFile.Read(path);
            for (int i = 0; i < documents.Count; i++)
                yield return (documents[i], path, i + 1);
        }
    }
}
