// What the verbs that answer JSON Lines have in common: where questions come from and where answers go.
using System.Text.Json.Nodes;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class LineVerb
{
    /// <summary>Questions from <c>--input</c> or standard input, answers to standard output, as many at once as <c>--threads</c> says.</summary>
    public static void Run(VerbContext context, Func<JsonObject, JsonObject> answer)
    {
        using StreamWriter output = context.Host.OpenOutput();
        int threads = context.Value(SharedOptions.Threads) ?? Environment.ProcessorCount;
        string? file = context.Value(SharedOptions.Input);
        if (file is null or "-")
        {
            JsonLines.Answer(context.Host.Input, output, answer, threads, context.Cancellation);
            return;
        }

        using FileStream input = File.OpenRead(context.RequiredFile(SharedOptions.Input));
        JsonLines.Answer(input, output, answer, threads, context.Cancellation);
    }
}
