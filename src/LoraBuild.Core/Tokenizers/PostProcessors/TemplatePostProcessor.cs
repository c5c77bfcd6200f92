// TemplateProcessing: special tokens at fixed places around one text or a pair.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

/// <summary>A place in a template: the texts by number (0 or 1), or special tokens (<paramref name="Sequence"/> −1).</summary>
internal sealed record TemplatePart(int Sequence, int TypeId, IReadOnlyList<(int Id, string Token)> Specials);

internal sealed class TemplatePostProcessor(IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair) : IPostProcessor
{
    public (int[] Before, int[] Behind) Around
    {
        get
        {
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

    public Encoding Process(Encoding first, Encoding? second, bool addSpecialTokens)
    {
        IReadOnlyList<TemplatePart> template = second is null ? single : pair;
        int count = 0;
        bool isPlain = second is null;
        foreach (TemplatePart part in template)
        {
            count += part.Sequence switch { 0 => first.Count, 1 => second?.Count ?? 0, _ => addSpecialTokens ? part.Specials.Count : 0 };
            isPlain &= part is { Sequence: 0, TypeId: 0 } || (part.Sequence < 0 && (!addSpecialTokens || part.Specials.Count == 0));
        }

        // The text alone, once: nothing is put around it.
        if (isPlain && count == first.Count)
            return first;
        EncodingBuilder builder = new(count);
        foreach (TemplatePart part in template)
        {
            if (part.Sequence == 0)
                builder.AddAll(first, part.TypeId, 0);
            else if (part.Sequence == 1 && second is not null)
                builder.AddAll(second, part.TypeId, 1);
            else if (part.Sequence < 0 && addSpecialTokens)
            {
                foreach ((int id, string token) in part.Specials)
                    builder.AddSpecial(id, token, part.TypeId);
            }
        }

        return builder.ToEncoding();
    }
}
