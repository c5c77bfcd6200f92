// Whether a stage is up to date, by content; and what makes MSBuild, which looks at time stamps, come to the same answer.
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.IO;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Worker.Stages;

/// <summary>What a stage would be made from now, beside what it was made from.</summary>
/// <param name="Finished">Null when the stage has not been finished.</param>
public sealed record StageState(Stage Stage, string Fingerprint, IReadOnlyList<string> Recipe, IReadOnlyDictionary<string, string> Inputs, StageManifest? Finished, bool HasItsOutputs)
{
    public bool IsUpToDate => Finished?.Fingerprint == Fingerprint && HasItsOutputs;

    public static StageState Of(Stage stage, Recipe recipe, StageLayout layout, StageInputs inputs)
    {
        string[] keys = RecipeKeys.CanonicalText(recipe, stage).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        SortedDictionary<string, string> content = inputs.Of(stage);
        StageManifest? finished = StageManifest.Read(layout.Manifest(stage));
        return new StageState(stage, Compute(stage, keys, content), keys, content, finished, finished?.HasItsOutputs(layout.Root) ?? false);
    }

    /// <summary>Why the stage has to run, in words; empty when it has not.</summary>
    public IReadOnlyList<string> Reasons()
    {
        if (IsUpToDate)
            return [];
        if (Finished is null)
            return ["has not been finished yet"];
        List<string> reasons = [];
        if (Finished.Tool != ToolVersion.Current)
            reasons.Add("the tool changed");
        reasons.AddRange(Recipe.Except(Finished.Recipe).Select(line => $"recipe: {line}"));
        reasons.AddRange(Finished.Recipe.Where(line => !Recipe.Any(now => KeyOf(now) == KeyOf(line))).Select(line => $"recipe: {KeyOf(line)} is gone"));
        reasons.AddRange(Inputs.Where(i => !Finished.Inputs.TryGetValue(i.Key, out string? was) || was != i.Value).Select(i => $"changed: {i.Key}"));
        reasons.AddRange(Finished.Inputs.Keys.Except(Inputs.Keys).Select(name => $"gone: {name}"));
        if (!HasItsOutputs)
            reasons.Add("an output is missing or has another size");
        return reasons;
    }

    /// <summary>
    /// Writes the fingerprint file when its content differs, and sees to it that the manifest is the newer of the two exactly when the stage is
    /// up to date. So files with arbitrary time stamps (a cache, a fresh clone) neither run a stage nor skip one wrongly.
    /// </summary>
    public void WriteFingerprint(StageLayout layout, string? file = null)
    {
        file ??= layout.Fingerprint(Stage);
        string text = Fingerprint + "\n";
        if (!File.Exists(file) || File.ReadAllText(file) != text)
            AtomicFile.WriteAllText(file, text);

        string manifest = layout.Manifest(Stage);
        if (!File.Exists(manifest))
            return;
        DateTime manifestTime = File.GetLastWriteTimeUtc(manifest);
        bool isNewer = manifestTime > File.GetLastWriteTimeUtc(file);
        if (IsUpToDate && !isNewer)
            File.SetLastWriteTimeUtc(file, manifestTime.AddSeconds(-1));
        else if (!IsUpToDate && isNewer)
            File.SetLastWriteTimeUtc(file, manifestTime.AddSeconds(1));
    }

    private static string Compute(Stage stage, IReadOnlyList<string> keys, SortedDictionary<string, string> content)
    {
        StringBuilder text = new();
        text.Append("stage ").Append(StageLayout.VerbOf(stage)).Append('\n');
        text.Append("tool ").Append(ToolVersion.Current).Append('\n');
        foreach (string key in keys)
            text.Append("key ").Append(key).Append('\n');
        foreach ((string name, string hash) in content)
            text.Append("input ").Append(name).Append(' ').Append(hash).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static string KeyOf(string line) => line.Split(':', 2)[0];
}
