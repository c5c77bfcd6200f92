// Marks tokens that were made from preference pairs, after making sure that each pair is still one.
using LoraBuild.Core.Data;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Core.Chat;

public static class PreferencePairs
{
    /// <summary>Looks at dataset/ and, where it holds pairs, gives tokens/ their mark (<see cref="TokenDocuments.IsPairs"/>).</summary>
    /// <param name="directory">The pipeline's directory, with both.</param>
    /// <returns>Pairs of the training split; 0 where there are none.</returns>
    /// <exception cref="DiagnosticException">LB0370: pairs beside other documents. LB0371: one half of a pair was left out. LB0372: truncation left two halves different prompts.</exception>
    public static int Mark(string directory)
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
            int expected = halves[(int)split].Length;
            if (documents.Count != expected)
                throw new DiagnosticException("LB0371", $"of {expected} documents of preference pairs only {documents.Count} became tokens, so some answers stand without the other one. Mend or remove the documents that the findings name; raise template.max_length where answers were cut off; sources of tokens cannot stand beside pairs.", file);
            for (int pair = 0; pair < documents.Count / 2; pair++)
                CheckPrompts(documents[2 * pair], documents[(2 * pair) + 1], pair, file);
            TokensFile.Write(file, documents with { IsPairs = true });
            if (split == SplitName.Train)
                pairs = documents.Count / 2;
        }

        return pairs;
    }

    private static void CheckPrompts(TokenDocument chosen, TokenDocument rejected, int pair, string file)
    {
        ReadOnlySpan<int> first = PromptOf(chosen);
        ReadOnlySpan<int> second = PromptOf(rejected);
        int shorter = Math.Min(first.Length, second.Length);
        // The last token of a prompt may depend on what follows it; all others are the same words.
        const int joint = 1;
        if (Math.Abs(first.Length - second.Length) > joint || !first[..Math.Max(0, shorter - joint)].SequenceEqual(second[..Math.Max(0, shorter - joint)]))
            throw new DiagnosticException("LB0372", $"the two answers of pair {pair} stand behind different prompts ({first.Length} and {second.Length} tokens): one of them was shortened to template.max_length. Raise it, or set template.truncation: error to see which.", file);
    }

    private static ReadOnlySpan<int> PromptOf(TokenDocument document)
    {
        int target = document.Labels.Span.IndexOfAnyExcept(TokensFile.IgnoredLabel);
        return document.InputIds.Span[..(target < 0 ? document.Length : target)];
    }

    private static string?[] HalvesOf(string file) => [.. File.ReadLines(file).Select(line => CanonicalForm.FromLine(line).Half)];
}
