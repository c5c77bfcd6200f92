// The command line as a whole: verbs, usage errors, and the boundary where everything that can go wrong becomes an exit code.
using System.CommandLine;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Worker.Hosting;
using LoraBuild.Worker.Verbs;

namespace LoraBuild.Worker;

public static class CommandLine
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;
    public const int Cancelled = 130;

    /// <summary>Runs the verb that <paramref name="args"/> name.</summary>
    /// <returns>0 done; 1 the work failed; 2 wrong usage; 130 cancelled.</returns>
    public static int Run(IReadOnlyList<string> args, WorkerHost host, CancellationTokenSource cancellation)
    {
        VerbRunner runner = new(host, cancellation);
        try
        {
            args = RequestFile.Expand(args, host);
        }
        catch (DiagnosticException e)
        {
            return runner.RunWithEvents(args.Contains(SharedOptions.Events.Name), _ => throw e);
        }

        ParseResult parsed = CreateRoot(runner).Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false });
        if (parsed.Errors.Count > 0)
        {
            bool hasEvents = args.Contains(SharedOptions.Events.Name);
            string verb = parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
            runner.RunWithEvents(hasEvents, context =>
            {
                foreach (string message in parsed.Errors.Select(e => e.Message).Distinct())
                    context.Reporter.Report(Diagnostic.Error("LB0820", $"{message} See: lorabuild {verb}--help"));
            });
            return WrongUsage;
        }

        // Verbs write to the host themselves; what comes here is help, which may find a full disk or a closed stream like any result.
        using StringWriter help = new() { NewLine = "\n" };
        int exitCode = parsed.Invoke(new InvocationConfiguration { Output = help, Error = host.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        return help.GetStringBuilder().Length == 0 ? exitCode : runner.RunWithEvents(hasEvents: false, _ =>
        {
            using StreamWriter output = host.OpenOutput();
            output.Write(help.ToString());
        });
    }

    private static RootCommand CreateRoot(VerbRunner runner)
    {
        RootCommand root = new("Fine-tunes language models: one verb a stage, and verbs to look at things.");
        foreach (Option option in SharedOptions.OfAllVerbs)
            root.Options.Add(option);
        foreach (Command verb in AllVerbs.Create(runner))
            root.Subcommands.Add(verb);
        return root;
    }
}
