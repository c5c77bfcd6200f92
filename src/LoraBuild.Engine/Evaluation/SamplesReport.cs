// samples.md: what the model answers before and after training, to read with one's own eyes.
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Evaluation;

/// <param name="Prompt">The user's message.</param>
/// <param name="Before">The base model's answer.</param>
/// <param name="After">The trained model's answer.</param>
/// <param name="Expected">The answer in the held-out data, where there is one.</param>
public sealed record Sample(string Prompt, string Before, string After, string? Expected = null);

public static class SamplesReport
{
    public const string FileName = "samples.md";

    /// <param name="prompts">Prompt and, where known, expected answer.</param>
    /// <param name="answerBefore">Answers as the base model does.</param>
    /// <param name="answerAfter">Answers as the trained model does.</param>
    public static IReadOnlyList<Sample> Collect(
        IEnumerable<(string Prompt, string? Expected)> prompts,
        Func<string, string> answerBefore,
        Func<string, string> answerAfter) =>
        [.. prompts.Select(p => new Sample(p.Prompt, answerBefore(p.Prompt), answerAfter(p.Prompt), p.Expected))];

    public static void Write(string path, string title, IReadOnlyList<Sample> samples) => AtomicFile.WriteLines(path, writer =>
    {
        writer.WriteLine($"# {title}");
        foreach (Sample sample in samples)
        {
            writer.WriteLine();
            writer.WriteLine($"## {OneLine(sample.Prompt)}");
            WriteAnswer(writer, "Before", sample.Before);
            WriteAnswer(writer, "After", sample.After);
            if (sample.Expected is not null)
                WriteAnswer(writer, "In the data", sample.Expected);
        }
    });

    private static void WriteAnswer(TextWriter writer, string who, string text)
    {
        writer.WriteLine();
        writer.WriteLine($"**{who}:**");
        writer.WriteLine();
        // Quoted line by line, so that an answer's own headings and fences cannot break the page.
        foreach (string line in text.ReplaceLineEndings("\n").Split('\n'))
            writer.WriteLine(line.Length == 0 ? ">" : $"> {line}");
    }

    private static string OneLine(string text) => text.ReplaceLineEndings(" ").Trim();
}
