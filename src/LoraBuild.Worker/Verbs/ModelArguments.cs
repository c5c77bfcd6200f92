// --model, --adapter and --tokenizer as a model in memory, and the options of generated text.
using System.CommandLine;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Models;
using LoraBuild.Core.Tokenizers;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using LoraBuild.Worker.Generation;

namespace LoraBuild.Worker.Verbs;

internal static class ModelArguments
{
    private static readonly Option<double> Temperature = new("--temperature") { Description = "0: the most likely token each time.", DefaultValueFactory = _ => 0 };
    private static readonly Option<double> TopP = new("--top-p") { Description = "Sample among the most likely tokens that together have this probability.", DefaultValueFactory = _ => 1 };
    private static readonly Option<long> Seed = new("--seed") { Description = "Of sampling.", DefaultValueFactory = _ => 0 };
    private static readonly Option<int> MaxNewTokens = new("--max-new-tokens") { Description = "Longest answer.", DefaultValueFactory = _ => 128 };

    public static IReadOnlyList<Option> OfGeneration { get; } = [SharedOptions.Model, SharedOptions.Adapter, SharedOptions.Tokenizer, Temperature, TopP, Seed, MaxNewTokens];

    /// <exception cref="DiagnosticException">LB0820: --model is missing; LB005x: the model is nowhere.</exception>
    public static LocatedModel Model(VerbContext context)
    {
        string name = context.Value(SharedOptions.Model) ?? throw VerbContext.Missing(SharedOptions.Model.Name);
        string directory = context.Host.Absolute(name);
        return BaseModelLocator.Locate(Directory.Exists(directory) ? directory : name, context.Host.ModelCaches());
    }

    /// <exception cref="DiagnosticException">LB0820: --model is missing; LB005x: the model is nowhere.</exception>
    public static string ModelDirectory(VerbContext context) => Model(context).Directory;

    public static string? AdapterDirectory(VerbContext context) =>
        context.Value(SharedOptions.Adapter) is null ? null : context.RequiredDirectory(SharedOptions.Adapter);

    public static GenerationOptions Generation(VerbContext context) => new()
    {
        Temperature = context.Value(Temperature),
        TopP = context.Value(TopP),
        Seed = context.Value(Seed),
        MaxNewTokens = context.Value(MaxNewTokens),
    };

    /// <summary>Loads model, adapter and tokenizer, and lets <paramref name="use"/> work with them.</summary>
    public static void WithTextModel(VerbContext context, Action<TextModel> use)
    {
        string directory = ModelDirectory(context);
        Tokenizer tokenizer = Tokenizer.Load(context.Value(SharedOptions.Tokenizer) is null ? directory : context.RequiredDirectory(SharedOptions.Tokenizer), context.Reporter);
        (CausalLM model, LoraAdapter? adapter) = Compute.Prepare(context).Load(directory, AdapterDirectory(context));
        using (model)
        using (adapter)
            use(TextModel.Create(model, tokenizer));
    }
}
