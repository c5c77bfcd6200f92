// `detokenize`: ids → texts, one JSON line each.
using System.CommandLine;
using System.Text.Json.Nodes;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class DetokenizeVerb
{
    private static readonly Option<bool> SkipSpecialTokens = new("--skip-special-tokens") { Description = "Leave special tokens out of the text." };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("detokenize", """{"ids": […]} → {"text": "…"}""") { SharedOptions.Tokenizer, SharedOptions.Input, SkipSpecialTokens };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        Tokenizer tokenizer = Tokenizer.Load(context.RequiredDirectory(SharedOptions.Tokenizer), context.Reporter);
        bool isSkipping = context.Value(SkipSpecialTokens);
        LineVerb.Run(context, question => new JsonObject { ["text"] = tokenizer.Decode(Ids(question), isSkipping) });
    }

    private static int[] Ids(JsonObject question)
    {
        JsonArray list = JsonLines.OptionalArray(question, "ids") ?? throw JsonLines.Wrong("\"ids\" is missing; expected {\"ids\": [1, 2, …]}");
        int[] ids = new int[list.Count];
        for (int i = 0; i < ids.Length; i++)
        {
            if (list[i] is not JsonValue value || !value.TryGetValue(out ids[i]))
                throw JsonLines.Wrong($"\"ids\" must be a list of whole numbers; element {i} is {list[i]?.ToJsonString() ?? "null"}");
        }

        return ids;
    }
}
