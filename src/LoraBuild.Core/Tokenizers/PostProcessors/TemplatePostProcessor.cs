// TemplateProcessing: special tokens at fixed places around one text or a pair.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tokenizers.PostProcessors;

/// <summary>A place in a template: the texts by number (0 or 1), or special tokens (<paramref name="Sequence"/> −1).</summary>
internal sealed record TemplatePart(int Sequence, int TypeId, IReadOnlyList<(int Id, string Token)> Specials);

internal sealed class TemplatePostProcessor(IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair) : IPostProcessor
{
    public (int[] Before, int[] Behind)? Around
    {
        get
        {
            if (single.Count(p => p.Sequence >= 0) != 1)
                return null;
            List<int> before = [];
            List<int> behind = [];
            bool isBehind = false;
            foreach (TemplatePart part in single)
            {
                isBehind |= part.Sequence >= 0;
                (isBehind ? behind : before).AddRange(part.Specials.Select(s => s.Id));
            }

            return ([.. before], [.. behind]);
        }
    }

    public int AddedTokens(bool isPair) => (isPair ? pair : single).Sum(p => p.Specials.Count);

    public List<Encoding> Process(List<Encoding> parts, bool addSpecialTokens)
    {
        if (parts.Count > 2)
            throw new DiagnosticException("LB0204", "a TemplateProcessing behind another post-processor that makes more than two parts is not supported");
        List<Encoding> output = [];
        foreach (TemplatePart part in parts.Count < 2 ? single : pair)
        {
            if (part.Sequence >= 0)
            {
                if (part.Sequence < parts.Count)
                    output.Add(PostProcessing.Labelled(parts[part.Sequence], part.TypeId, part.Sequence));
            }
            else if (addSpecialTokens)
                output.Add(PostProcessing.Surround(Encoding.Empty, [.. part.Specials], [], part.TypeId));
        }

        return output;
    }
}
