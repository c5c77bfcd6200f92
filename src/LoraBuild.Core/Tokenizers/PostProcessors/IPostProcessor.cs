// The fourth stage: adds special tokens around one text or a pair, and trims offsets.
namespace LoraBuild.Core.Tokenizers.PostProcessors;

internal interface IPostProcessor
{
    /// <summary>
    /// Rewrites the parts of an encoding: at first one a text, later what an earlier post-processor made of them. They are joined at the end. The given encodings are
    /// used up: their arrays may be changed or become the result's.
    /// </summary>
    List<Encoding> Process(List<Encoding> parts, bool addSpecialTokens);

    /// <summary>The ids that stand before and behind a single text; null where the text itself does not stand there once and unchanged.</summary>
    (int[] Before, int[] Behind)? Around { get; }

    /// <summary>How many tokens it adds.</summary>
    int AddedTokens(bool isPair);
}

internal static class PostProcessing
{
    /// <summary>Runs a post-processor over one text or a pair; without one a pair is simply joined.</summary>
    public static Encoding Run(IPostProcessor? postProcessor, Encoding first, Encoding? second, bool addSpecialTokens)
    {
        if (postProcessor is null && second is null)
            return first;
        List<Encoding> parts = [Labelled(first, 0, 0)];
        if (second is not null)
            parts.Add(Labelled(second, 1, 1));
        return Merge(postProcessor is null ? parts : postProcessor.Process(parts, addSpecialTokens));
    }

    /// <summary>The encoding, and what overflows from it, as the text of a number and with one type throughout.</summary>
    public static Encoding Labelled(Encoding encoding, int typeId, int sequenceId) => OfSequence(OfType(encoding, typeId), sequenceId);

    /// <summary>The encoding, and what overflows from it, with one type throughout; the same one where it is so already.</summary>
    public static Encoding OfType(Encoding encoding, int typeId) =>
        Map(encoding, e => e.TypeIds.AsSpan().ContainsAnyExcept(typeId) ? e with { TypeIds = Filled(e.Count, typeId) } : e);

    /// <summary>The encoding, and what overflows from it, as the text of a number; the same one where it is so already.</summary>
    public static Encoding OfSequence(Encoding encoding, int sequenceId) =>
        Map(encoding, e => e.SequenceIds.AsSpan().ContainsAnyExcept(sequenceId) ? e with { SequenceIds = Filled(e.Count, sequenceId) } : e);

    /// <summary>Applies a change to an encoding and to what overflows from it.</summary>
    private static Encoding Map(Encoding encoding, Func<Encoding, Encoding> change)
    {
        Encoding changed = change(encoding);
        return encoding.Overflowing.Count == 0 ? changed : changed with { Overflowing = [.. encoding.Overflowing.Select(o => Map(o, change))] };
    }

    private static int[] Filled(int count, int value)
    {
        var values = new int[count];
        Array.Fill(values, value);
        return values;
    }

    /// <summary>The parts one behind the other. What overflows of one part is combined with every window of the others.</summary>
    private static Encoding Merge(List<Encoding> parts)
    {
        if (parts.Count == 0)
            return Encoding.Empty;
        if (parts.Count == 1)
            return parts[0];
        if (parts.Exists(p => p.Overflowing.Count > 0))
            return parts.Aggregate(MergeTwo);
        return Join([.. parts]);
    }

    private static Encoding MergeTwo(Encoding left, Encoding right)
    {
        List<Encoding> overflowing = [];
        foreach (Encoding window in left.Overflowing)
        {
            overflowing.Add(Join(window, right));
            overflowing.AddRange(right.Overflowing.Select(r => Join(window, r)));
        }

        overflowing.AddRange(right.Overflowing.Select(r => Join(left, r)));
        return Join(left, right) with { Overflowing = overflowing };
    }

    private static Encoding Join(params ReadOnlySpan<Encoding> parts)
    {
        int count = 0;
        foreach (Encoding part in parts)
            count += part.Count;
        EncodingBuilder builder = new(count);
        foreach (Encoding part in parts)
            builder.AddAll(part);
        return builder.ToEncoding();
    }

    /// <summary>The encoding, and what overflows from it, between special tokens.</summary>
    public static Encoding Surround(Encoding encoding, (int Id, string Token)[] before, (int Id, string Token)[] behind, int typeId) => Map(encoding, e =>
    {
        EncodingBuilder builder = new(before.Length + e.Count + behind.Length);
        foreach ((int id, string token) in before)
            builder.AddSpecial(id, token, typeId);
        builder.AddAll(e);
        foreach ((int id, string token) in behind)
            builder.AddSpecial(id, token, typeId);
        return builder.ToEncoding();
    });
}

internal sealed class SequencePostProcessor(IReadOnlyList<IPostProcessor> items) : IPostProcessor
{
    /// <summary>Known where at most one of the items puts something around the text.</summary>
    public (int[] Before, int[] Behind)? Around
    {
        get
        {
            (int[] Before, int[] Behind) around = ([], []);
            foreach (IPostProcessor item in items)
            {
                if (item.Around is not (int[] before, int[] behind))
                    return null;
                if (before.Length + behind.Length == 0)
                    continue;
                if (around.Before.Length + around.Behind.Length > 0)
                    return null;
                around = (before, behind);
            }

            return around;
        }
    }

    public int AddedTokens(bool isPair) => items.Sum(i => i.AddedTokens(isPair));

    public List<Encoding> Process(List<Encoding> parts, bool addSpecialTokens)
    {
        foreach (IPostProcessor item in items)
            parts = item.Process(parts, addSpecialTokens);
        return parts;
    }
}
