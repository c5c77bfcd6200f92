// The same answer everywhere: data of which a large part was filled in by a script, or answered by a refusal.
namespace LoraBuild.Core.Chat;

internal sealed class RepeatedAnswers
{
    /// <summary>Conversations that must hold an answer before it is suspicious, and their share.</summary>
    public const int Fewest = 10;
    public const double Share = 0.1;

    private readonly Dictionary<ulong, int> counts = [];
    private string text = "";
    private ulong hash;

    /// <summary>Conversations that hold the commonest answer.</summary>
    public int Most { get; private set; }

    public (string File, int Line) FirstSeenOften { get; private set; } = ("", 0);

    public string Text => text.Length <= 60 ? text : text[..60] + "…";

    /// <param name="answers">Of one conversation, each once.</param>
    public void Add(IReadOnlyList<string> answers, string file, int line)
    {
        foreach (string answer in answers)
        {
            ulong key = DocumentFacts.HashExact(answer);
            int count = counts[key] = counts.GetValueOrDefault(key) + 1;
            if (count <= Most)
                continue;
            Most = count;
            if (key == hash)
                continue;
            (hash, text, FirstSeenOften) = (key, answer.ReplaceLineEndings(" "), (file, line));
        }
    }

    public bool IsSuspicious(int conversations) => Most >= Fewest && Most >= Share * conversations;
}
