// `perplexity`: loss and perplexity of a model on tokens or on a plain text.
using System.CommandLine;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Verbs;

internal static class PerplexityVerb
{
    private static readonly Option<string> Tokens = new("--tokens") { Description = "A token file with input_ids, labels and offsets.", HelpName = "FILE.safetensors" };
    private static readonly Option<string> PlainText = new("--text") { Description = "A plain text; every token after the first of a window is a target.", HelpName = "FILE.txt" };
    private static readonly Option<int> Window = new("--max-length") { Description = "Tokens of a window of plain text.", DefaultValueFactory = _ => 512 };
    private static readonly Option<int> BatchTokens = new("--batch-tokens") { Description = "Tokens of a batch.", DefaultValueFactory = _ => 4096 };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("perplexity", """Prints {"loss": …, "perplexity": …, "tokens": …}.""")
        {
            SharedOptions.Model, SharedOptions.Adapter, SharedOptions.Tokenizer, Tokens, PlainText, Window, BatchTokens,
        };
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        string directory = ModelArguments.ModelDirectory(context);
        TokenDocuments documents = Documents(context, directory);
        (CausalLM model, LoraAdapter? adapter) = Compute.Prepare(context).Load(directory, ModelArguments.AdapterDirectory(context));
        using (model)
        using (adapter)
        {
            _ = TrainingData.Check(documents, "evaluation", model.VocabSize);
            EvaluationResult result = PerplexityEvaluator.Evaluate(model, documents, context.Value(BatchTokens), context.Cancellation);
            using StreamWriter output = context.Host.OpenOutput();
            output.WriteLine(new JsonObject { ["loss"] = result.Loss, ["perplexity"] = result.Perplexity, ["tokens"] = result.Tokens }.ToJsonString(JsonLines.Options));
        }
    }

    private static TokenDocuments Documents(VerbContext context, string modelDirectory)
    {
        if (context.Value(Tokens) is not null)
            return TokensFile.Read(context.RequiredFile(Tokens));
        if (context.Value(PlainText) is null)
            throw VerbContext.Missing("--tokens FILE.safetensors or --text FILE.txt");
        if (context.Value(Window) < 2)
            throw new DiagnosticException("LB0820", $"--max-length must be at least 2, got {context.Value(Window)}.");
        Tokenizer tokenizer = Tokenizer.Load(context.Value(SharedOptions.Tokenizer) is null ? modelDirectory : context.RequiredDirectory(SharedOptions.Tokenizer), context.Reporter);
        int[] ids = tokenizer.EncodeToIds(File.ReadAllText(context.RequiredFile(PlainText)));
        List<long> offsets = [];
        for (long start = 0; start < ids.Length; start += context.Value(Window))
            offsets.Add(start);
        return new TokenDocuments(ids, ids, [.. offsets, ids.Length]);
    }
}
