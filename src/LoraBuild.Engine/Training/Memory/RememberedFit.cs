// memory.json: what fitted into memory, for the next run of the same recipe on the same machine, and for going on after a kill.
using System.Text.Json;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Training.Memory;

/// <summary>No result and no input of one: a run without the file finds the same again.</summary>
/// <param name="Identity">Of the run (<see cref="RunIdentity"/>).</param>
/// <param name="Machine">See <see cref="TrainOptions.Machine"/>.</param>
/// <param name="IsFinished">The run came to its end: the next one is a new one and begins with the last rung.</param>
/// <param name="Rungs">In the order of their steps.</param>
internal sealed record RememberedFit(string Identity, string Machine, bool IsFinished, IReadOnlyList<MemoryRung> Rungs)
{
    public const string FileName = "memory.json";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, NewLine = "\n" };

    /// <returns>Null where there is none for this run on this machine.</returns>
    public static RememberedFit? Read(string directory, string identity, string machine)
    {
        string path = Path.Combine(directory, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            RememberedFit? found = JsonSerializer.Deserialize<RememberedFit>(File.ReadAllText(path), Json);
            return found is { Rungs.Count: > 0 } && found.Identity == identity && found.Machine == machine ? found : null;
        }
        catch (JsonException)
        {
            return null; // edited or damaged: what it said is found again
        }
    }

    public void Write(string directory) => AtomicFile.WriteAllText(Path.Combine(directory, FileName), JsonSerializer.Serialize(this, Json) + "\n");
}
