// Marks tokens that were made from preference pairs, after making sure that each pair is still one.
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Chat;

public static class PreferencePairs
{
    /// <summary>Looks at dataset/ and, where it holds pairs, gives tokens/ their mark (<see cref="TokenDocuments.IsPairs"/>).</summary>
    /// <param name="directory">The pipeline's directory, with both.</param>
    /// <param name="leftOut">What the audit says is in no file of tokens/.</param>
    /// <returns>Pairs of the training split; 0 where there are none.</returns>
    /// <exception cref="DiagnosticException">LB0370: pairs beside other documents. LB0371: tokens and documents do not match, as when sources of tokens stand beside pairs.</exception>
    public static int Mark(string directory, IReadOnlyList<LeftOutDocument> leftOut)
    {
        SplitName[] splits = Enum.GetValues<SplitName>();
        string?[][] halves = [.. splits.Select(s => HalvesOf(Path.Combine(directory, "dataset", DatasetPreparation.FileName(s))))];
        if (halves.All(h => Array.TrueForAll(h, half => half is null)))
            return 0;
        if (halves.Any(h => h.Contains(null)))
            throw new DiagnosticException("LB0370", "the data set has preference pairs (chosen, rejected) and other documents; one run trains one kind. Give them in recipes of their own.", Path.Combine(directory, "dataset"));

        int pairs = 0;
        foreach (SplitName split in splits)
        {
            string file = Path.Combine(directory, "tokens", Path.ChangeExtension(DatasetPreparation.FileName(split), ".safetensors"));
            TokenDocuments documents = TokensFile.Read(file);
            string name = Path.GetFileNameWithoutExtension(file);
            int expected = halves[(int)split].Length - leftOut.Count(d => d.Split == name);
            if (documents.Count != expected)
                throw new DiagnosticException("LB0371", $"dataset/ has {expected} answers of preference pairs to train, but there are tokens of {documents.Count} documents. Sources of tokens cannot stand beside pairs; else run the stages prepare and template again.", file);
            TokensFile.Write(file, documents with { IsPairs = true });
            if (split == SplitName.Train)
                pairs = documents.Count / 2;
        }

        return pairs;
    }

    /// <summary>Why two halves are no pair: truncation may leave them different prompts. Null when they are one.</summary>
    internal static string? Difference(TokenizedDocument chosen, TokenizedDocument rejected)
    {
        ReadOnlySpan<int> first = PromptOf(chosen);
        ReadOnlySpan<int> second = PromptOf(rejected);
        int shorter = Math.Min(first.Length, second.Length);
        // The last token of a prompt may depend on what follows it; all others are the same words.
        const int joint = 1;
        if (Math.Abs(first.Length - second.Length) <= joint && first[..Math.Max(0, shorter - joint)].SequenceEqual(second[..Math.Max(0, shorter - joint)]))
            return null;
        return $"The two answers stand behind different prompts ({first.Length} and {second.Length} tokens): with the longer answer the conversation has {Math.Max(chosen.FullLength, rejected.FullLength)} tokens and was shortened. Raise template.max_length, set template.truncation to cut, or leave such pairs out with dataset.on_error: skip.";
    }

    private static ReadOnlySpan<int> PromptOf(TokenizedDocument document)
    {
        int target = document.Labels.AsSpan().IndexOfAnyExcept(TokensFile.IgnoredLabel);
        return document.Ids.AsSpan(0, target < 0 ? document.Ids.Length : target);
    }

    private static string?[] HalvesOf(string file) => [.. File.ReadLines(file).Select(line => CanonicalForm.FromLine(line).Half)];
}
