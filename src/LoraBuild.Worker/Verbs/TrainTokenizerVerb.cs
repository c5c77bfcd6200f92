// `train-tokenizer`: a byte-level BPE tokenizer.json from a file of texts, for a base model of one's own.
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers.Training;

namespace LoraBuild.Worker.Verbs;

internal static class TrainTokenizerVerb
{
    private static readonly Option<string[]> Inputs = new("--input") { Description = "A JSON Lines file of {\"text\": …}; repeatable.", HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };

    private static readonly Option<int> VocabularySize = new("--vocabulary-size") { Description = "Tokens in all, special ones included.", HelpName = "N", Required = true };

    private static readonly Option<string[]> SpecialTokens = new("--special-token") { Description = "Gets the next id from 0; repeatable.", HelpName = "TEXT", DefaultValueFactory = _ => [] };

    private static readonly Option<string> Output = new("--output") { Description = "The tokenizer.json to write.", HelpName = "FILE", Required = true };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("train-tokenizer", "Trains a byte-level BPE tokenizer.json on texts.") { Inputs, VocabularySize, SpecialTokens, Output };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        BpeTrainerOptions trainerOptions = new() { VocabularySize = context.Value(VocabularySize), SpecialTokens = context.Value(SpecialTokens)! };
        string output = context.RequiredPath(Output);
        TrainedBpe trained = BpeTrainer.Train(context.Value(Inputs)!.Select(context.Host.Absolute).SelectMany(Texts), trainerOptions);
        trained.Save(output);
        context.Reporter.Message(string.Create(CultureInfo.InvariantCulture, $"{trained.VocabularySize:N0} tokens, {trained.MergeCount:N0} merges, written to {output}"));
        context.Reporter.Result(new JsonObject { ["vocabulary_size"] = trained.VocabularySize, ["merges"] = trained.MergeCount, ["output"] = output });
    }

    private static IEnumerable<string> Texts(string file) => File.ReadLines(file).Select((line, index) =>
    {
        try
        {
            return (string?)JsonNode.Parse(line)?["text"] ?? throw Wrong("there is no \"text\"");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Wrong(e.Message);
        }

        DiagnosticException Wrong(string what) => new("LB0815", $"a line must be {{\"text\": \"…\"}}: {what}", file, index + 1);
    });
}
