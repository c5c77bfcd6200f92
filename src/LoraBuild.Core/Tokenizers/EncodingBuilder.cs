// Collects the tokens of an encoding column by column.
namespace LoraBuild.Core.Tokenizers;

internal sealed class EncodingBuilder
{
    private readonly List<int> ids = [];
    private readonly List<string> tokens = [];
    private readonly List<(int Start, int End)> offsets = [];
    private readonly List<int> typeIds = [];
    private readonly List<bool> specialTokensMask = [];
    private readonly List<int> wordIds = [];
    private readonly List<int> sequenceIds = [];

    public void Add(int id, string token, (int Start, int End) span, int wordId, int sequenceId = 0)
    {
        ids.Add(id);
        tokens.Add(token);
        offsets.Add(span);
        typeIds.Add(sequenceId);
        specialTokensMask.Add(false);
        wordIds.Add(wordId);
        sequenceIds.Add(sequenceId);
    }

    public void AddSpecial(int id, string token, int typeId)
    {
        ids.Add(id);
        tokens.Add(token);
        offsets.Add((0, 0));
        typeIds.Add(typeId);
        specialTokensMask.Add(true);
        wordIds.Add(-1);
        sequenceIds.Add(-1);
    }

    public void AddAll(Encoding part, int typeId, int sequenceId)
    {
        ids.AddRange(part.Ids);
        tokens.AddRange(part.Tokens);
        offsets.AddRange(part.Offsets);
        typeIds.AddRange(Enumerable.Repeat(typeId, part.Count));
        specialTokensMask.AddRange(part.SpecialTokensMask);
        wordIds.AddRange(part.WordIds);
        sequenceIds.AddRange(Enumerable.Repeat(sequenceId, part.Count));
    }

    public Encoding ToEncoding() => new()
    {
        Ids = [.. ids],
        Tokens = [.. tokens],
        Offsets = [.. offsets],
        TypeIds = [.. typeIds],
        SpecialTokensMask = [.. specialTokensMask],
        WordIds = [.. wordIds],
        SequenceIds = [.. sequenceIds],
    };
}
