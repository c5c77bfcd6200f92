// `combine`: several adapters of one base model → one.
using System.CommandLine;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Training;

namespace LoraBuild.Worker.Verbs;

internal static class CombineVerb
{
    private static readonly Option<string[]> Adapters = new("--adapter") { Description = "A PEFT adapter; give two or more.", HelpName = "DIR", Required = true };
    private static readonly Option<double[]> Weights = new("--weight") { Description = "One for each adapter, in their order; without any all are 1.", HelpName = "NUMBER" };
    private static readonly Option<string> Method = new("--method") { Description = "cat: exact, ranks add up. svd: the nearest of a rank. linear: small, equal ranks only.", HelpName = "cat|svd|linear", DefaultValueFactory = _ => "cat" };
    private static readonly Option<int?> Rank = new("--rank") { Description = "Of svd; default: the largest of the adapters'.", HelpName = "R" };

    static CombineVerb() => Method.AcceptOnlyFromAmong("cat", "svd", "linear");

    public static Command Create(VerbRunner runner)
    {
        Command command = new("combine", "Combines LoRA adapters of one base model into one, as PEFT's add_weighted_adapter does.") { Adapters, Weights, Method, Rank, SharedOptions.Output };
        command.Validators.Add(result =>
        {
            int weights = result.GetValue(Weights)?.Length ?? 0;
            int adapters = result.GetValue(Adapters)?.Length ?? 0;
            if (weights > 0 && weights != adapters)
                result.AddError($"{weights} --weight for {adapters} --adapter: give one for each, or none.");
        });
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        Compute.Prepare(context, "float32");
        string[] directories = [.. context.Value(Adapters)!.Select(context.Host.Absolute)];
        if (Array.Find(directories, d => !Directory.Exists(d)) is { } missing)
            throw new DiagnosticException("LB0823", $"--adapter: the directory {missing} does not exist.");
        double[] weights = context.Value(Weights) is { Length: > 0 } given ? given : [.. directories.Select(_ => 1.0)];
        CombineMethod method = context.Value(Method) switch
        {
            "svd" => CombineMethod.Svd,
            "linear" => CombineMethod.Linear,
            _ => CombineMethod.Cat,
        };
        string output = context.RequiredPath(SharedOptions.Output);
        WeightedAdapter[] adapters = [.. directories.Zip(weights, (d, w) => new WeightedAdapter(d, w))];
        ReplaceDirectory.Write(output, directory => AdapterCombiner.Combine(adapters, method, context.Value(Rank), directory));
        context.Reporter.Message($"{output}: {adapters.Length} adapters combined");
    }
}
