// `fetch`: models from the hub into the Hugging Face cache; by name, or what a recipe names.
using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Hub;
using LoraBuild.Core.Models;
using LoraBuild.Core.Recipes;
using LoraBuild.Worker.Hosting;
using LoraBuild.Worker.Stages;
using Spectre.Console;

namespace LoraBuild.Worker.Verbs;

internal static class FetchVerb
{
    private static readonly Argument<string[]> Names = new("NAME") { Description = "org/name or org/name@revision; a revision is a branch, a tag or a commit.", Arity = ArgumentArity.ZeroOrMore };
    private static readonly Option<bool> List = new("--list") { Description = "Show what would be fetched, and fetch nothing." };
    private static readonly Option<bool> IfMissing = new("--if-missing") { Description = "Ask the hub for nothing that the cache holds; a branch is taken as it was when it was fetched." };

    public static Command Create(VerbRunner runner)
    {
        Command command = new("fetch", "Fetches models from the Hugging Face hub into its cache: weights (safetensors), JSON, tokenizer and template files, checked against the hub's hashes. Prints their directories.")
        {
            Names, List, IfMissing, SharedOptions.Json,
        };
        foreach (Option option in SharedOptions.OfRecipes)
            command.Options.Add(option);
        command.SetAction(options => runner.Run(options, Run));
        return command;
    }

    private static void Run(VerbContext context)
    {
        List<(HubName Name, ModelContent Content, RecipePlace Place)> wanted = [.. context.Value(Names)!.Select(n => (HubName.Parse(n), ModelContent.Weights, RecipePlace.None))];
        if (context.Value(SharedOptions.Recipe) is not null)
            wanted.AddRange(OfRecipe(context));
        else if (wanted.Count == 0)
            throw VerbContext.Missing("NAME, or --recipe FILE,");
        if (wanted.Count == 0)
            context.Reporter.Message("fetch: the recipe names no model of the hub");

        IReadOnlyList<string> caches = context.Host.ModelCaches();
        Lazy<HubFetcher> fetcher = new(() => new HubFetcher(HubSettings.CreateClient(), HubSettings.Options(context.Host.Environment, context.Host.CurrentDirectory), new FetchReporter(context.Reporter)));
        using StreamWriter output = context.Host.OpenOutput();
        foreach ((HubName name, ModelContent content, RecipePlace place) in wanted)
        {
            try
            {
                if (context.Value(List))
                    Show(context, output, fetcher.Value.PlanAsync(name, content, context.Cancellation).GetAwaiter().GetResult());
                else
                    Fetch(context, output, name, context.Value(IfMissing) || name.IsCommit ? Cached(name, content, caches) : null, () => Ask(context, fetcher.Value, name, content, caches));
            }
            catch (DiagnosticException e)
            {
                // What is wrong with the model is wrong at the line that names it.
                throw new DiagnosticException([.. e.Diagnostics.Select(d => d.File is null ? d with { File = place.File, Line = place.Line, Column = place.Column } : d)]);
            }
        }
    }

    /// <summary>What the recipe needs of the hub; a directory needs nothing.</summary>
    private static IEnumerable<(HubName, ModelContent, RecipePlace)> OfRecipe(VerbContext context)
    {
        Recipe recipe = RecipeArguments.Recipe(context);
        if (IsOfHub(recipe.Base.Model))
            yield return (HubName.Parse(recipe.Base.Model, recipe.PlaceOf("base.model")), StageInputs.BaseContent(recipe), recipe.PlaceOf("base.model"));
        if (recipe.Base.Tokenizer is { } tokenizer && IsOfHub(tokenizer))
            yield return (HubName.Parse(tokenizer, recipe.PlaceOf("base.tokenizer")), ModelContent.Tokenizer, recipe.PlaceOf("base.tokenizer"));
    }

    private static bool IsOfHub(string model) => !Directory.Exists(model) && !HubName.IsPath(model);

    private static LocatedModel? Cached(HubName name, ModelContent content, IReadOnlyList<string> caches)
    {
        try
        {
            return BaseModelLocator.Locate(name.ToString(), caches, content: content);
        }
        catch (DiagnosticException)
        {
            // Not there, or not all of it: that is what fetching is for.
            return null;
        }
    }

    /// <summary>Where no hub can be asked, a branch is what the cache holds of it, and that is told.</summary>
    private static FetchedModel Ask(VerbContext context, HubFetcher fetcher, HubName name, ModelContent content, IReadOnlyList<string> caches)
    {
        try
        {
            return fetcher.FetchAsync(name, content, context.Cancellation).GetAwaiter().GetResult();
        }
        catch (DiagnosticException e) when (e.Diagnostics[0].Code is "LB0056" or "LB0057" && Cached(name, content, caches) is { } cached)
        {
            context.Reporter.Report(Diagnostic.Warning("LB0067", $"where {name} stands now is not known: {e.Diagnostics[0].Message} The cache holds all of it as it was fetched, commit {cached.Commit}, and that is taken."));
            return new FetchedModel(cached, [], 0);
        }
    }

    private static void Fetch(VerbContext context, TextWriter output, HubName name, LocatedModel? cached, Func<FetchedModel> fetch)
    {
        FetchedModel? fetched = cached is null ? fetch() : null;
        LocatedModel model = cached ?? fetched!.Model;
        long received = fetched?.Received ?? 0;
        context.Reporter.Message(received == 0
            ? $"fetch: {name}: up to date, commit {model.Commit}"
            : string.Create(CultureInfo.InvariantCulture, $"fetch: {name}: {received / 1e6:N1} MB fetched, commit {model.Commit}"));
        if (!context.Value(SharedOptions.Events))
            output.WriteLine(context.Value(SharedOptions.Json) ? ToJson(model, received).ToJsonString(JsonLines.Options) : model.Directory);
        context.Reporter.Result(ToJson(model, received));
    }

    private static JsonObject ToJson(LocatedModel model, long received) => new()
    {
        ["id"] = model.Id,
        ["revision"] = model.Revision,
        ["commit"] = model.Commit,
        ["directory"] = model.Directory,
        ["bytes_received"] = received,
    };

    private static void Show(VerbContext context, TextWriter output, FetchPlan plan)
    {
        JsonObject json = new()
        {
            ["id"] = plan.Name.Id,
            ["revision"] = plan.Name.RevisionOrMain,
            ["commit"] = plan.Commit,
            ["license"] = plan.License,
            ["bytes_to_fetch"] = plan.BytesToFetch,
            ["files"] = new JsonArray([.. plan.Files.Select(f => (JsonNode)new JsonObject
            {
                ["name"] = f.File.Name,
                ["size"] = f.File.Size,
                ["hash"] = f.File.Hash,
                ["cached"] = f.IsCached,
                ["partial_bytes"] = f.PartialBytes,
            })]),
        };
        context.Reporter.Result(json);
        if (context.Value(SharedOptions.Events))
            return;
        if (context.Value(SharedOptions.Json))
        {
            output.WriteLine(json.ToJsonString(JsonLines.Options));
            return;
        }

        IAnsiConsole console = TextTables.On(output, context.Host);
        console.WriteLine($"{plan.Name} commit {plan.Commit}, license {plan.License ?? "not named"}");
        Table files = TextTables.Create("file", "bytes", "state");
        foreach (PlannedFile f in plan.Files)
            files.AddRow(new Text(f.File.Name), new Text(f.File.Size.ToString("N0", CultureInfo.InvariantCulture)), new Text(State(f)));
        console.Write(files);
        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{plan.BytesToFetch:N0} bytes to fetch"));
    }

    private static string State(PlannedFile file) =>
        file.IsCached ? "cached" : file.PartialBytes > 0 ? string.Create(CultureInfo.InvariantCulture, $"{file.PartialBytes:N0} bytes are there") : "to fetch";
}
