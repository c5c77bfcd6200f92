// Puts an encoding together column by column from parts whose size is known.
namespace LoraBuild.Core.Tokenizers;

/// <param name="count">The tokens that will be added, no more and no fewer.</param>
internal sealed class EncodingBuilder(int count)
{
    private readonly Encoding encoding = new()
    {
        Ids = new int[count],
        Tokens = new string[count],
        Offsets = new (int, int)[count],
        TypeIds = new int[count],
        SpecialTokensMask = new bool[count],
        WordIds = new int[count],
        SequenceIds = new int[count],
    };

    private int filled;

    public void AddSpecial(int id, string token, int typeId)
    {
        encoding.Ids[filled] = id;
        encoding.Tokens[filled] = token;
        encoding.TypeIds[filled] = typeId;
        encoding.SpecialTokensMask[filled] = true;
        encoding.WordIds[filled] = -1;
        encoding.SequenceIds[filled] = -1;
        filled++;
    }

    public void AddAll(Encoding part)
    {
        part.Ids.CopyTo(encoding.Ids, filled);
        part.Tokens.CopyTo(encoding.Tokens, filled);
        part.Offsets.CopyTo(encoding.Offsets, filled);
        part.TypeIds.CopyTo(encoding.TypeIds, filled);
        part.SpecialTokensMask.CopyTo(encoding.SpecialTokensMask, filled);
        part.WordIds.CopyTo(encoding.WordIds, filled);
        // A text that stands twice belongs to its last place only, as in the library.
        int last = -1;
        foreach (int sequence in part.SequenceIds)
        {
            if (sequence >= 0 && sequence != last)
                encoding.SequenceIds.AsSpan(0, filled).Replace(sequence, -1);
            last = sequence;
        }

        part.SequenceIds.CopyTo(encoding.SequenceIds, filled);
        filled += part.Count;
    }

    public Encoding ToEncoding() => filled == count ? encoding : throw new InvalidOperationException($"{filled} of {count} tokens were added");
}
