// The padding section of tokenizer.json: filling encodings up to one length.
namespace LoraBuild.Core.Tokenizers;

/// <param name="Length">The length to reach; null: that of the longest of the batch.</param>
/// <param name="MultipleOf">The length is rounded up to a multiple of this; 0 or 1: it is not.</param>
public sealed record PaddingOptions(int PadId, string PadToken, int? Length = null, CutDirection Direction = CutDirection.Right, int MultipleOf = 0, int PadTypeId = 0)
{
    internal static PaddingOptions Read(JsonView view)
    {
        JsonView strategy = view["strategy"];
        int? length = strategy.Kind == System.Text.Json.JsonValueKind.Object ? strategy["Fixed"].AsInt()
            : strategy.AsString() == "BatchLongest" ? null
            : throw strategy.Error("LB0203", "the strategy is \"BatchLongest\" or {\"Fixed\": length}");
        return new PaddingOptions(
            view["pad_id"].AsInt(),
            view["pad_token"].AsString(),
            length,
            view["direction"].AsEnum<CutDirection>(),
            view.TryGet("pad_to_multiple_of", out JsonView multiple) ? multiple.AsInt() : 0,
            view["pad_type_id"].AsInt());
    }

    /// <summary>The encodings, and what overflows from them, at one length; longer ones stay as they are.</summary>
    public Encoding[] Apply(IReadOnlyList<Encoding> encodings)
    {
        int length = Length ?? (encodings.Count == 0 ? 0 : encodings.Max(e => e.Count));
        if (MultipleOf > 0)
            length = (length + MultipleOf - 1) / MultipleOf * MultipleOf;
        return [.. encodings.Select(e => Pad(e, length))];
    }

    private Encoding Pad(Encoding encoding, int length)
    {
        Encoding padded = encoding with { Overflowing = [.. encoding.Overflowing.Select(o => Pad(o, length))] };
        int missing = length - encoding.Count;
        if (missing <= 0)
            return padded;
        return padded with
        {
            Ids = Fill(encoding.Ids, PadId, missing),
            Tokens = Fill(encoding.Tokens, PadToken, missing),
            Offsets = Fill(encoding.Offsets, (0, 0), missing),
            TypeIds = Fill(encoding.TypeIds, PadTypeId, missing),
            SpecialTokensMask = Fill(encoding.SpecialTokensMask, true, missing),
            WordIds = Fill(encoding.WordIds, -1, missing),
            SequenceIds = Fill(encoding.SequenceIds, -1, missing),
            AttentionMask = Fill(encoding.AttentionMask, 0, missing),
        };
    }

    private T[] Fill<T>(T[] values, T padding, int missing)
    {
        IEnumerable<T> pad = Enumerable.Repeat(padding, missing);
        return Direction == CutDirection.Left ? [.. pad, .. values] : [.. values, .. pad];
    }
}
