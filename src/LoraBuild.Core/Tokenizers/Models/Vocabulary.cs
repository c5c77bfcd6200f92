// The two directions between token strings and ids.
namespace LoraBuild.Core.Tokenizers.Models;

/// <summary>Immutable. Ids may have gaps; a gap has no string.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> idOfToken;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> idOfSpan;
    private readonly string?[] tokenOfId;

    public Vocabulary(Dictionary<string, int> idOfToken)
    {
        this.idOfToken = idOfToken;
        idOfSpan = idOfToken.GetAlternateLookup<ReadOnlySpan<char>>();
        int size = 0;
        foreach (int id in idOfToken.Values)
            size = Math.Max(size, id + 1);
        tokenOfId = new string?[size];
        foreach ((string token, int id) in idOfToken)
            tokenOfId[id] = token;
    }

    /// <summary>The number of strings, which is what Hugging Face counts.</summary>
    public int Count => idOfToken.Count;

    /// <summary>The largest id + 1.</summary>
    public int Size => tokenOfId.Length;

    public IEnumerable<string> Tokens => idOfToken.Keys;

    public bool TryGetId(ReadOnlySpan<char> token, out int id) => idOfSpan.TryGetValue(token, out id);

    public int? IdOf(string token) => idOfToken.TryGetValue(token, out int id) ? id : null;

    public string? TokenOf(int id) => (uint)id < (uint)tokenOfId.Length ? tokenOfId[id] : null;
}
