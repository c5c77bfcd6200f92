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

    public void AddAll(Encoding part, int typeId, int sequenceId)
    {
        part.Ids.CopyTo(encoding.Ids, filled);
        part.Tokens.CopyTo(encoding.Tokens, filled);
        part.Offsets.CopyTo(encoding.Offsets, filled);
        Array.Fill(encoding.TypeIds, typeId, filled, part.Count);
        part.SpecialTokensMask.CopyTo(encoding.SpecialTokensMask, filled);
        part.WordIds.CopyTo(encoding.WordIds, filled);
        Array.Fill(encoding.SequenceIds, sequenceId, filled, part.Count);
        filled += part.Count;
    }

    public Encoding ToEncoding() => filled == count ? encoding : throw new InvalidOperationException($"{filled} of {count} tokens were added");
}
