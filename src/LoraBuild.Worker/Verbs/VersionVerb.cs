// `version`: the program's version and the version of what it writes, which is part of every fingerprint.
using System.CommandLine;
using System.Reflection;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Verbs;

internal static class VersionVerb
{
    public static Command Create(VerbRunner runner)
    {
        Command command = new("version", "Prints the version of the program and of the code that decides what it writes.");
        command.SetAction(options => runner.Run(options, context =>
        {
            using StreamWriter output = context.Host.OpenOutput();
            output.WriteLine($"lorabuild {typeof(VersionVerb).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion}");
            output.WriteLine($"tool {ToolVersion.Current}");
        }));
        return command;
    }
}
