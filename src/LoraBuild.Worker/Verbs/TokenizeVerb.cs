// `tokenize`: texts → ids, tokens and their places, one JSON line each.
using System.CommandLine;
using System.Text.Json.Nodes;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class TokenizeVerb
{
    private static readonly Option<bool> NoSpecialTokens = new("--no-special-tokens") { Description = "Leave out what the post-processor adds (BOS, EOS, …)." };
    private static readonly Option<bool> SplitSpecialTokens = new("--split-special-tokens") { Description = "Treat special tokens in the text as text." };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("tokenize", """{"text": "…"} → {"ids": […], "tokens": […], "offsets": [[start, end], …]}, offsets in Unicode code points.""")
        {
            SharedOptions.Tokenizer, SharedOptions.Input, NoSpecialTokens, SplitSpecialTokens,
        };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        Tokenizer tokenizer = Tokenizer.Load(context.RequiredDirectory(SharedOptions.Tokenizer), context.Reporter);
        bool hasSpecialTokens = !context.Value(NoSpecialTokens);
        bool isSplit = context.Value(SplitSpecialTokens);
        LineVerb.Run(context, question =>
        {
            Encoding encoding = tokenizer.Encode(JsonLines.RequiredString(question, "text"), hasSpecialTokens, isSplit);
            return new JsonObject
            {
                ["ids"] = new JsonArray([.. encoding.Ids.Select(id => (JsonNode)id)]),
                ["tokens"] = new JsonArray([.. encoding.Tokens.Select(token => (JsonNode)token)]),
                ["offsets"] = new JsonArray([.. encoding.Offsets.Select(o => (JsonNode)new JsonArray(o.Start, o.End))]),
            };
        });
    }
}
