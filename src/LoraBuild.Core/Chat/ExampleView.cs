// A tokenised document as text, with what is trained told apart: for `lorabuild template --show N`.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

/// <summary>A run of tokens that are all targets, or all not.</summary>
public sealed record ExampleSegment(string Text, bool IsTarget);

public static class ExampleView
{
    /// <summary>The document's segments in order. Runs are decoded on their own: a character whose bytes straddle two runs shows as U+FFFD.</summary>
    public static IReadOnlyList<ExampleSegment> Segments(Tokenizer tokenizer, TokenDocument document)
    {
        List<ExampleSegment> segments = [];
        ReadOnlySpan<int> ids = document.InputIds.Span;
        ReadOnlySpan<int> labels = document.Labels.Span;
        for (int start = 0; start < ids.Length;)
        {
            bool isTarget = labels[start] != TokensFile.IgnoredLabel;
            int end = start + 1;
            while (end < ids.Length && (labels[end] != TokensFile.IgnoredLabel) == isTarget)
                end++;
            segments.Add(new ExampleSegment(tokenizer.Decode(ids[start..end]), isTarget));
            start = end;
        }

        return segments;
    }
}
