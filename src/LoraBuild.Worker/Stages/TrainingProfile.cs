// `train --profile`: where the time of the steps went, as a table and as profile.json.
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.IO;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Hosting;
using Spectre.Console;

namespace LoraBuild.Worker.Stages;

/// <summary>Counts from <see cref="Start"/> to <see cref="Finish"/>.</summary>
internal sealed class TrainingProfile
{
    private readonly string file;

    private TrainingProfile(StageLayout layout) => file = Path.Combine(layout.Root, "profile.json");

    /// <exception cref="DiagnosticException">LB0836: this program was built without the kernels that count.</exception>
    public static TrainingProfile Start(StageLayout layout)
    {
        if (!StepProfile.IsAvailable)
            throw new DiagnosticException("LB0836", "--profile needs the native library of this repository, and the program was built with TorchSharp's own. Build it with TorchProvider=libtorch.");
        StepProfile.Start();
        return new TrainingProfile(layout);
    }

    public void Finish(VerbContext context)
    {
        StepProfile profile = StepProfile.Stop();
        if (profile.Steps == 0)
        {
            context.Reporter.Message("train: no step was done, so there is nothing to profile; --no-resume trains again from the start");
            return;
        }

        AtomicFile.WriteAllText(file, ToJson(profile).ToJsonString(JsonLines.Options) + "\n");
        if (context.Value(SharedOptions.Events))
        {
            context.Reporter.Message($"train: the profile is in {file}");
            return;
        }

        using StreamWriter output = context.Host.OpenOutput();
        TextTables.On(output, context.Host).Write(Table(profile));
    }

    private static Table Table(StepProfile profile)
    {
        Table table = TextTables.Create("part", "forward ms/step", "backward ms/step", "share", "calls/step");
        foreach (ProfiledPart part in profile.Parts.Where(p => p.Calls > 0).OrderByDescending(p => p.Seconds))
        {
            table.AddRow(
                part.Part,
                Milliseconds(part.Forward, profile),
                Milliseconds(part.Backward, profile),
                string.Create(CultureInfo.InvariantCulture, $"{100 * part.Seconds / profile.Seconds:F1} %"),
                string.Create(CultureInfo.InvariantCulture, $"{(double)part.Calls / profile.Steps:F0}"));
        }

        table.AddRow("all", Milliseconds(profile.Parts.Sum(p => p.Forward), profile), Milliseconds(profile.Parts.Sum(p => p.Backward), profile), "100 %", "");
        if (profile.Evaluations > 0)
        {
            table.AddRow(
                "evaluations, beside the steps",
                Milliseconds(profile.EvaluationSeconds, profile),
                "",
                string.Create(CultureInfo.InvariantCulture, $"+ {100 * profile.EvaluationSeconds / profile.Seconds:F1} %"),
                "");
        }

        return table;
    }

    private static string Milliseconds(double seconds, StepProfile profile) => string.Create(CultureInfo.InvariantCulture, $"{1000 * seconds / profile.Steps:F2}");

    private static JsonObject ToJson(StepProfile profile) => new()
    {
        ["steps"] = profile.Steps,
        ["seconds"] = profile.Seconds,
        ["parts"] = new JsonObject(profile.Parts.Select(p => KeyValuePair.Create<string, JsonNode?>(p.Part, new JsonObject
        {
            ["forward_seconds"] = p.Forward,
            ["backward_seconds"] = p.Backward,
            ["calls"] = p.Calls,
        }))),
        ["evaluation"] = new JsonObject { ["count"] = profile.Evaluations, ["seconds"] = profile.EvaluationSeconds },
    };
}
