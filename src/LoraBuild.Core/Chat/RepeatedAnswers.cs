// The same answer everywhere: data of which a large part was filled in by a script, or answered by a refusal.
namespace LoraBuild.Core.Chat;

internal sealed class RepeatedAnswers
{
    /// <summary>Conversations that must hold an answer before it is suspicious, and their share.</summary>
    public const int Fewest = 10;
    public const double Share = 0.1;

    private readonly Dictionary<ulong, (int Count, string File, int Line)> seen = [];
    private string text = "";
    private ulong hash;

    /// <summary>Conversations that hold the commonest answer.</summary>
    public int Most { get; private set; }

    /// <summary>Where the commonest answer stands first.</summary>
    public (string File, int Line) First => seen.TryGetValue(hash, out (int Count, string File, int Line) first) ? (first.File, first.Line) : ("", 0);

    public string Text => text.Length <= 60 ? text : text[..60] + "…";

    /// <param name="answers">Of one conversation, each once.</param>
    public void Add(IReadOnlyList<string> answers, string file, int line)
    {
        foreach (string answer in answers)
        {
            ulong key = DocumentFacts.HashExact(answer);
            (int Count, string File, int Line) entry = seen.TryGetValue(key, out (int Count, string File, int Line) before) ? before with { Count = before.Count + 1 } : (1, file, line);
            seen[key] = entry;
            if (entry.Count > Most)
                (Most, hash, text) = (entry.Count, key, answer.ReplaceLineEndings(" "));
        }
    }

    public bool IsSuspicious(int conversations) => Most >= Fewest && Most >= Share * conversations;
}
