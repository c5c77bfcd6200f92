// What of a micro-batch decides about memory.
namespace LoraBuild.Engine.Planning;

/// <param name="Tokens">Without padding.</param>
/// <param name="Targets">Tokens that the head runs for.</param>
/// <param name="Pairs">Σ length² over the documents: what attention weights are as large as.</param>
public sealed record BatchShape(long Tokens, long Targets, long Pairs)
{
    public static BatchShape Of(IReadOnlyList<int> lengths)
    {
        long tokens = lengths.Sum(l => (long)l);
        return new BatchShape(tokens, tokens, lengths.Sum(l => (long)l * l));
    }

    /// <summary>So many documents of one length.</summary>
    public static BatchShape Of(int documents, int length) => Of([.. Enumerable.Repeat(length, documents)]);
}
