// Tokenised documents in a safetensors file: input_ids, labels, offsets.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>One document. Labels are not shifted: <c>Labels[i]</c> belongs to <c>InputIds[i]</c>; −100 is no target.</summary>
public readonly record struct TokenDocument(ReadOnlyMemory<int> InputIds, ReadOnlyMemory<int> Labels)
{
    public int Length => InputIds.Length;
}

/// <summary>Documents one after the other; document d is [Offsets[d], Offsets[d + 1]).</summary>
/// <param name="InputIds">[N]</param>
/// <param name="Labels">[N], −100 where there is no target.</param>
/// <param name="Offsets">[documents + 1], from 0 to N.</param>
public sealed record TokenDocuments(int[] InputIds, int[] Labels, long[] Offsets)
{
    /// <summary>Preference pairs: document 2k is the better answer to a prompt, 2k + 1 the worse one.</summary>
    public bool IsPairs { get; init; }

    public int Count => Offsets.Length - 1;

    /// <summary>Of preference pairs the better answers; all documents where there are no pairs.</summary>
    public TokenDocuments BetterAnswers()
    {
        if (!IsPairs)
            return this;
        TokenDocument[] better = [.. Enumerable.Range(0, Count / 2).Select(pair => this[2 * pair])];
        long[] offsets = new long[better.Length + 1];
        for (int i = 0; i < better.Length; i++)
            offsets[i + 1] = offsets[i] + better[i].Length;
        return new TokenDocuments([.. better.SelectMany(d => d.InputIds.ToArray())], [.. better.SelectMany(d => d.Labels.ToArray())], offsets);
    }

    public TokenDocument this[int document]
    {
        get
        {
            int start = (int)Offsets[document];
            int length = (int)Offsets[document + 1] - start;
            return new TokenDocument(InputIds.AsMemory(start, length), Labels.AsMemory(start, length));
        }
    }
}

/// <summary><c>input_ids</c> int32 [N], <c>labels</c> int32 [N], <c>offsets</c> int64 [documents + 1]; int64 ids and labels are read too. Metadata <c>preference_pairs: true</c>: <see cref="TokenDocuments.IsPairs"/>.</summary>
public static class TokensFile
{
    private const string PairsKey = "preference_pairs";

    /// <summary>The label of a token that is no target (PyTorch's ignore_index).</summary>
    public const int IgnoredLabel = -100;

    /// <exception cref="DiagnosticException">LB0430: a tensor is missing, has the wrong type or shape, or holds impossible values.</exception>
    public static TokenDocuments Read(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        int[] inputIds = ReadIds(file, "input_ids", lowest: 0);
        int[] labels = ReadIds(file, "labels", lowest: IgnoredLabel);
        if (labels.Length != inputIds.Length)
            throw Wrong(file.Path, $"labels has {labels.Length} elements but input_ids has {inputIds.Length}; one label a token is needed");
        for (int i = 0; i < labels.Length; i++)
        {
            if (labels[i] is < 0 and not IgnoredLabel)
                throw Wrong(file.Path, $"labels[{i}] is {labels[i]}; allowed are token ids and {IgnoredLabel}");
        }

        long[] offsets = Vector(file, "offsets");
        CheckOffsets(file.Path, offsets, inputIds.Length);
        bool isPairs = file.Metadata.GetValueOrDefault(PairsKey) == "true";
        if (isPairs && offsets.Length % 2 == 0)
            throw Wrong(file.Path, $"the metadata say {PairsKey}, but there are {offsets.Length - 1} documents; pairs are an even number");
        return new TokenDocuments(inputIds, labels, offsets) { IsPairs = isPairs };
    }

    public static void Write(string path, TokenDocuments documents) =>
        SafetensorsWriter.Write(
            path,
            [
                TensorToWrite.FromInt32("input_ids", [documents.InputIds.Length], documents.InputIds),
                TensorToWrite.FromInt32("labels", [documents.Labels.Length], documents.Labels),
                TensorToWrite.FromInt64("offsets", [documents.Offsets.Length], documents.Offsets),
            ],
            documents.IsPairs ? new Dictionary<string, string> { [PairsKey] = "true" } : null);

    private static void CheckOffsets(string path, long[] offsets, int tokens)
    {
        if (offsets.Length == 0 || offsets[0] != 0)
            throw Wrong(path, "offsets must start with 0 (document d is [offsets[d], offsets[d+1]))");
        for (int i = 1; i < offsets.Length; i++)
        {
            if (offsets[i] < offsets[i - 1])
                throw Wrong(path, $"offsets[{i}] is {offsets[i]}, less than offsets[{i - 1}] = {offsets[i - 1]}; they must rise");
        }

        if (offsets[^1] != tokens)
            throw Wrong(path, $"the last offset is {offsets[^1]} but there are {tokens} tokens");
    }

    private static int[] ReadIds(SafetensorsFile file, string name, int lowest)
    {
        long[] wide = Vector(file, name);
        int[] ids = new int[wide.Length];
        for (int i = 0; i < wide.Length; i++)
        {
            if (wide[i] < lowest || wide[i] > int.MaxValue)
                throw Wrong(file.Path, $"{name}[{i}] is {wide[i]}; allowed is {lowest} … {int.MaxValue}");
            ids[i] = (int)wide[i];
        }

        return ids;
    }

    private static long[] Vector(SafetensorsFile file, string name)
    {
        if (!file.Tensors.TryGetValue(name, out TensorEntry? entry))
            throw Wrong(file.Path, $"there is no tensor '{name}'; needed are input_ids, labels and offsets, found {NameList.Text(file.Tensors.Keys)}");
        if (entry.Dtype is not (TensorDtype.I32 or TensorDtype.I64) || entry.Shape.Length != 1)
            throw Wrong(file.Path, $"'{name}' is {entry.Dtype.SafetensorsName()} {entry.ShapeText}; I32 or I64 with one axis is needed");
        return file.ReadInt64(name);
    }

    private static DiagnosticException Wrong(string path, string message) => new("LB0430", message, path);
}
