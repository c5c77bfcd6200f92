// checkpoints/step-N/: a directory has its final name only when everything in it is on the disk.
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using LoraBuild.Core.IO;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Training.Memory;

namespace LoraBuild.Engine.Training;

/// <summary>What a run knows between two steps, beside weights and optimizer.</summary>
/// <param name="Identity">See <see cref="RunIdentity"/>.</param>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Position">Where the data stands; follows from the step, and is checked against it.</param>
/// <param name="EvaluatedStep">Last step after which was evaluated; 0: none.</param>
/// <param name="EvaluationsWithoutImprovement">In a row, up to now.</param>
public sealed record TrainingState(
    string Identity,
    int Step,
    DataPosition Position,
    int EvaluatedStep,
    int? BestStep,
    double? BestEvalLoss,
    int EvaluationsWithoutImprovement)
{
    /// <summary>Steps of the run that wrote it: a longer one may go on from it when its schedule begins alike.</summary>
    public int TotalSteps { get; init; }

    /// <summary>The best evaluation by the run's metric.</summary>
    public double? BestMetric { get; init; }

    /// <summary>What the guard has lowered the rate to, of the schedule's.</summary>
    public double RateFactor { get; init; } = 1;

    /// <summary>Before the first step; null: not measured.</summary>
    public EvaluationResult? StartEvaluation { get; init; }

    /// <summary>How often the guard has acted.</summary>
    public int Interventions { get; init; }

    /// <summary>How passes are made to fit into memory from here on; null: as the recipe says.</summary>
    public MemoryFit? Fit { get; init; }

    /// <summary>The last losses, oldest first, while the guard watches for spikes; null: it does not.</summary>
    public IReadOnlyList<double>? RecentLosses { get; init; }
}

public sealed class CheckpointStore(string directory)
{
    private const string StateFile = "state.json";
    private const string Prefix = "step-";
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // the perplexity of a loss above 709 is infinite
    };

    public string PathOf(int step) => Path.Combine(directory, Prefix + step.ToString(CultureInfo.InvariantCulture));

    /// <summary>Complete checkpoints, oldest step first.</summary>
    public IReadOnlyList<TrainingState> All()
    {
        if (!Directory.Exists(directory))
            return [];
        List<TrainingState> states = [];
        foreach (string path in Directory.EnumerateDirectories(directory, Prefix + "*"))
        {
            if (ReadState(path) is { } state && Path.GetFullPath(PathOf(state.Step)) == Path.GetFullPath(path))
                states.Add(state);
        }

        return [.. states.OrderBy(s => s.Step)];
    }

    /// <summary>Writes the files into a directory beside, the state last, then gives it its name.</summary>
    /// <param name="state">Of this moment.</param>
    /// <param name="writeFiles">Writes weights and optimizer state into the directory that it is given.</param>
    public string Save(TrainingState state, Action<string> writeFiles)
    {
        string final = PathOf(state.Step);
        ReplaceDirectory.Write(final, temporary =>
        {
            writeFiles(temporary);
            AtomicFile.WriteAllText(Path.Combine(temporary, StateFile), JsonSerializer.Serialize(state, Json) + "\n");
        });
        return final;
    }

    /// <summary>A kill just before the last rename leaves a checkpoint that is complete (its state is written last) and has no name yet: it gets it, unless one stands there.</summary>
    public void NameFinished()
    {
        if (!Directory.Exists(directory))
            return;
        foreach (string made in Directory.GetDirectories(directory, "." + Prefix + "*.tmp"))
        {
            if (ReadState(made) is { } state && !Directory.Exists(PathOf(state.Step)))
                Directory.Move(made, PathOf(state.Step));
        }
    }

    /// <summary>Removes checkpoints of other runs and what a kill left of one, then the oldest ones beyond <paramref name="limit"/> (0: none).</summary>
    /// <param name="keepsBest">With a checkpoint stays the one that it names as its best: a run that goes on from it may end there.</param>
    /// <param name="isKept">Steps that stay whatever their age.</param>
    public void Prune(string identity, int limit, bool keepsBest, Func<int, bool> isKept)
    {
        RemoveUnfinished();
        List<TrainingState> own = [];
        foreach (TrainingState state in All())
        {
            if (state.Identity == identity)
                own.Add(state);
            else
                Remove(PathOf(state.Step));
        }

        if (limit <= 0)
            return;
        HashSet<int> kept = [.. own.TakeLast(limit).Concat(own.Where(s => isKept(s.Step))).Select(s => s.Step)];
        if (keepsBest)
            kept.UnionWith([.. own.Where(s => kept.Contains(s.Step) && s.BestStep is not null).Select(s => s.BestStep!.Value)]);
        foreach (TrainingState state in own.Where(s => !kept.Contains(s.Step)))
            Remove(PathOf(state.Step));
    }

    /// <summary>Removes a run's checkpoints of later steps.</summary>
    public void RemoveAfter(string identity, int step)
    {
        foreach (TrainingState state in All().Where(s => s.Identity == identity && s.Step > step))
            Remove(PathOf(state.Step));
    }

    public void Clear()
    {
        foreach (TrainingState state in All())
            Remove(PathOf(state.Step));
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }

    /// <summary>Half written, half removed, or on its way to being replaced: the names of <see cref="ReplaceDirectory"/>, and directories that have no state.</summary>
    private void RemoveUnfinished()
    {
        string[] left = [.. Directory.EnumerateDirectories(directory, "." + Prefix + "*"), .. Directory.EnumerateDirectories(directory, Prefix + "*").Where(d => !File.Exists(Path.Combine(d, StateFile)))];
        foreach (string path in left)
            Directory.Delete(path, recursive: true);
    }

    /// <summary>The state goes first: what a kill leaves of the rest is no checkpoint any more.</summary>
    private static void Remove(string path)
    {
        File.Delete(Path.Combine(path, StateFile));
        Directory.Delete(path, recursive: true);
    }

    private static TrainingState? ReadState(string path)
    {
        string file = Path.Combine(path, StateFile);
        if (!File.Exists(file))
            return null;
        try
        {
            return JsonSerializer.Deserialize<TrainingState>(File.ReadAllText(file), Json);
        }
        catch (JsonException)
        {
            return null; // not one of ours, or damaged: a run that cannot use it starts from an older one
        }
    }
}
