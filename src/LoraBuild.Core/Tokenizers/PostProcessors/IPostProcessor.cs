// The fourth stage: adds special tokens around one text or a pair, and trims offsets.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal interface IPostProcessor
{
    /// <summary>What becomes of one text or a pair. The given encodings are used up: their arrays may be changed or become the result's.</summary>
    Encoding Process(Encoding first, Encoding? second, bool addSpecialTokens);

    /// <summary>The ids that stand before and behind a single text.</summary>
    (int[] Before, int[] Behind) Around { get; }
}

internal static class PostProcessing
{
    /// <summary>Without a post-processor a pair is simply joined.</summary>
    public static Encoding Join(Encoding first, Encoding? second)
    {
        if (second is null)
            return first;
        EncodingBuilder builder = new(first.Count + second.Count);
        builder.AddAll(first, 0, 0);
        builder.AddAll(second, 1, 1);
        return builder.ToEncoding();
    }
}

internal sealed class SequencePostProcessor(IReadOnlyList<IPostProcessor> items) : IPostProcessor
{
    public (int[] Before, int[] Behind) Around
    {
        get
        {
            int[] before = [];
            int[] behind = [];
            foreach (IPostProcessor item in items)
                (before, behind) = ([.. item.Around.Before, .. before], [.. behind, .. item.Around.Behind]);
            return (before, behind);
        }
    }

    public Encoding Process(Encoding first, Encoding? second, bool addSpecialTokens)
    {
        // Offset trimming works on each text by itself; the one that builds the template comes last and joins them.
        for (int i = 0; i < items.Count; i++)
        {
            if (items[i] is ByteLevelPostProcessor trim)
            {
                first = trim.Trim(first);
                second = second is null ? null : trim.Trim(second);
            }
            else
                return new SequencePostProcessor([.. items.Skip(i + 1)]).Trimmed(items[i].Process(first, second, addSpecialTokens));
        }

        return PostProcessing.Join(first, second);
    }

    /// <summary>What comes behind the template can only trim.</summary>
    private Encoding Trimmed(Encoding encoding)
    {
        foreach (IPostProcessor item in items)
        {
            if (item is ByteLevelPostProcessor trim)
                encoding = trim.Trim(encoding);
        }

        return encoding;
    }
}
