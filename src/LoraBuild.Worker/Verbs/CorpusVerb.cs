// `corpus`: plain text out of documentation, satellite assemblies and text files, for pre-training a small base model.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Corpus;

namespace LoraBuild.Worker.Verbs;

internal static class CorpusVerb
{
    private static readonly Option<string[]> Inputs = new("--input") { Description = "A file; repeatable. .xml is read as documentation, .dll as string resources, the rest as text.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };

    private static readonly Option<int> PassageLength = new("--passage-length") { Description = "Characters of a passage; texts are cut at line ends.", HelpName = "N", DefaultValueFactory = _ => 700 };

    private static readonly Option<string> Output = new("--output") { Description = "The JSON Lines file of {\"text\": …} to write.", HelpName = "FILE", Required = true };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("corpus", "Gathers plain text into one JSON Lines file of {\"text\": …}.") { Inputs, PassageLength, Output };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        string[] files = [.. context.Value(Inputs)!.Select(context.Host.Absolute)];
        CorpusReport report = CorpusBuilder.Write(files, context.RequiredPath(Output), context.Value(PassageLength));
        context.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"{report.Texts:N0} texts, {report.Characters:N0} characters from {report.Files:N0} files; {report.Duplicates:N0} duplicates left out"));
        context.Reporter.Result(new JsonObject { ["files"] = report.Files, ["texts"] = report.Texts, ["characters"] = report.Characters, ["duplicates"] = report.Duplicates });
    }
}
