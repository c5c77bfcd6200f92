// `plan`: what each stage would do and why, and what training will need; runs nothing.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Planning;
using LoraBuild.Worker.Hosting;
using LoraBuild.Worker.Planning;
using LoraBuild.Worker.Stages;
using Spectre.Console;

namespace LoraBuild.Worker.Verbs;

internal static class PlanVerb
{
    private static readonly Option<bool> Published = new("--published") { Description = "Prints the memory figures that others have published beside what the formula says under named assumptions; needs no recipe." };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("plan", "Says what each stage would do and why, the trainable parameters, the steps and the memory; runs nothing.") { SharedOptions.Json, Published };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        if (context.Value(Published))
        {
            using StreamWriter table = context.Host.OpenOutput();
            table.Write(PublishedTable.Markdown());
            return;
        }

        Recipe recipe = RecipeArguments.Recipe(context);

        // Without a pipeline's directory nothing has been made yet: every stage would run.
        StageLayout layout = new(context.OptionalPath(SharedOptions.Output) ?? Path.Combine(context.Host.CurrentDirectory, "artifacts", "pipelines", recipe.Name));
        PipelinePlan plan = PipelinePlan.Of(recipe, layout, context.Host.ModelCaches(), Compute.Imagined(context, recipe.Base.Dtype));

        // The plan is the result all the same; what stands against it makes the exit code that of the stage that would fail.
        foreach (Diagnostic problem in plan.Problems)
            context.Reporter.Report(problem);
        if (context.Value(SharedOptions.Events))
        {
            foreach (string line in Lines(plan))
                context.Reporter.Message(line);
            context.Reporter.Result(ToJson(plan));
            return;
        }

        using StreamWriter output = context.Host.OpenOutput();
        if (context.Value(SharedOptions.Json))
            output.WriteLine(ToJson(plan).ToJsonString(JsonLines.Options));
        else
            Print(plan, TextTables.On(output, context.Host));
    }

    private static void Print(PipelinePlan plan, IAnsiConsole console)
    {
        Table stages = TextTables.Create("stage", "would", "why");
        foreach (StagePlan stage in plan.Stages)
            stages.AddRow(new Text(stage.Stage), new Text(stage.IsUpToDate ? "skip" : "run"), new Text(string.Join("; ", stage.Reasons)));
        console.Write(stages);
        foreach (string line in TrainingLines(plan))
            console.WriteLine(line);
    }

    private static IEnumerable<string> Lines(PipelinePlan plan) =>
    [
        .. plan.Stages.Select(s => s.IsUpToDate ? $"{s.Stage}: up to date" : $"{s.Stage}: would run: {string.Join("; ", s.Reasons)}"),
        .. TrainingLines(plan),
    ];

    private static IEnumerable<string> TrainingLines(PipelinePlan plan)
    {
        if (plan.Training is not { } training)
            yield break;

        yield return string.Create(CultureInfo.InvariantCulture, $"trainable parameters: {training.TrainableParameters:N0} of {training.AllParameters:N0}");
        yield return training.Steps is { } steps
            ? string.Create(CultureInfo.InvariantCulture, $"steps: {steps:N0}")
            : "steps: known when the tokens are made";
        MemoryPlan memory = training.Memory[0].Plan;
        yield return $"predicted peak memory{(training.Device == "cpu" ? "" : $" on {training.Device}")}: {MemoryCheck.Megabytes(memory.PeakBytes)} ({MemoryCheck.PartsText(memory)})";
        if (memory.PeakPhase != "step")
            yield return $"the peak is in {memory.PeakPhase}; a step takes {MemoryCheck.Megabytes(memory.StepBytes)}";
        foreach (MemoryOption option in training.Memory.Skip(1))
            yield return $"  {MemoryCheck.Megabytes(option.Plan.PeakBytes)} with {option.Change}";
    }

    private static JsonObject ToJson(PipelinePlan plan)
    {
        JsonObject json = new()
        {
            ["stages"] = new JsonArray([.. plan.Stages.Select(s => (JsonNode)new JsonObject
            {
                ["stage"] = s.Stage,
                ["up_to_date"] = s.IsUpToDate,
                ["reasons"] = new JsonArray([.. s.Reasons.Select(r => (JsonNode)r)]),
            })]),
        };
        if (plan.Training is { } training)
        {
            json["trainable_parameters"] = training.TrainableParameters;
            json["all_parameters"] = training.AllParameters;
            json["steps"] = training.Steps;
            MemoryPlan memory = training.Memory[0].Plan;
            json["device"] = training.Device;
            json["peak_memory_bytes"] = memory.PeakBytes;
            json["peak_memory_phase"] = memory.PeakPhase;
            json["memory_bytes"] = new JsonObject(memory.Parts.Select(m => KeyValuePair.Create<string, JsonNode?>(m.Name, m.Bytes)));
            json["memory_options"] = new JsonArray([.. training.Memory.Skip(1).Select(o => (JsonNode)new JsonObject { ["change"] = o.Change, ["peak_memory_bytes"] = o.Plan.PeakBytes })]);
        }

        if (plan.Problems.FirstOrDefault() is { } problem)
            json["problem"] = problem.ToString();
        return json;
    }
}
