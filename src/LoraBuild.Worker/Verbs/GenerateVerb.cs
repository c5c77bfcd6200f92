// `generate`: continues a prompt.
using System.CommandLine;
using System.Text.Json.Nodes;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class GenerateVerb
{
    private static readonly Option<string> Prompt = new("--prompt") { Description = "The text to continue.", HelpName = "TEXT", Required = true };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("generate", "Continues a text; greedy unless --temperature says otherwise.") { Prompt, SharedOptions.Json };
        foreach (Option option in ModelArguments.OfGeneration)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context) => ModelArguments.WithTextModel(context, model =>
    {
        using StreamWriter output = context.Host.OpenOutput();
        bool isJson = context.Value(SharedOptions.Json);
        int[] prompt = model.Tokenizer.EncodeToIds(context.Value(Prompt)!);
        (int[] ids, string text) = model.Complete(prompt, ModelArguments.Generation(context), isJson ? null : Show, context.Cancellation);
        if (!isJson)
        {
            output.WriteLine();
            return;
        }

        output.WriteLine(new JsonObject
        {
            ["text"] = text,
            ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id)]),
            ["prompt_ids"] = new JsonArray([.. prompt.Select(id => (JsonNode)id)]),
        }.ToJsonString(JsonLines.Options));

        void Show(string piece)
        {
            output.Write(piece);
            output.Flush();
        }
    });
}
