// From a recipe to the adapter's flat options.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Hub;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Adapters;

namespace LoraBuild.Worker.Stages;

internal static class LoraOptionsBuilder
{
    /// <exception cref="DiagnosticException">LB0830: a kind of initialisation that this version does not have.</exception>
    public static LoraOptions From(Recipe recipe)
    {
        AdapterSection adapter = recipe.Adapter;
        RecipePlace place = recipe.PlaceOf("adapter.init_lora_weights");
        return new LoraOptions
        {
            R = adapter.R,
            LoraAlpha = adapter.LoraAlpha,
            LoraDropout = adapter.LoraDropout,
            TargetModules = adapter.TargetModules,
            TargetModulesPattern = adapter.TargetModulesPattern,
            ExcludeModules = adapter.ExcludeModules,
            LayersToTransform = adapter.LayersToTransform,
            RankPattern = adapter.RankPattern,
            AlphaPattern = adapter.AlphaPattern,
            UseRslora = adapter.UseRslora,
            UseDora = adapter.Type == "dora",
            ModulesToSave = adapter.ModulesToSave,
            TrainableTokenIndices = adapter.TrainableTokenIndices,
            EnsureWeightTying = adapter.EnsureWeightTying,
            Bias = adapter.Bias,
            Init = adapter.InitLoraWeights switch
            {
                "default" => LoraInit.KaimingUniform,
                "gaussian" => LoraInit.Gaussian,
                "pissa" => LoraInit.Pissa,
                "olora" => LoraInit.Olora,
                string other => throw new DiagnosticException("LB0830", $"adapter.init_lora_weights: {other} is not built in this version. Allowed: default, gaussian, pissa, olora.", place.File, place.Line, place.Column),
            },
            Seed = recipe.Seed,
            BaseModelName = BaseName(recipe.Base.Model),
        };
    }

    /// <summary>What is wrong with the choice of modules is wrong at a line of the recipe, which the engine does not know.</summary>
    /// <exception cref="DiagnosticException">What <paramref name="use"/> finds, each with the place of its key.</exception>
    public static T AtKeys<T>(Recipe recipe, Func<LoraOptions, T> use)
    {
        LoraOptions options = From(recipe);
        try
        {
            return use(options);
        }
        catch (DiagnosticException e)
        {
            throw new DiagnosticException([.. e.Diagnostics.Select(d => d.File is null && d.Code.StartsWith("LB05", StringComparison.Ordinal) && recipe.PlaceOf(KeyOf(d.Code)) is var place ? d with { File = place.File, Line = place.Line, Column = place.Column } : d)]);
        }
    }

    private static string KeyOf(string code) => code switch
    {
        "LB0523" => "adapter.modules_to_save",
        "LB0527" => "adapter.lora_dropout",
        "LB0531" => "adapter.init_lora_weights",
        _ => "adapter.target_modules",
    };

    /// <summary>As PEFT writes it: the hub id (without revision), or the directory's name. Not its path: an adapter is read on other machines.</summary>
    public static string BaseName(string model)
    {
        if (!Path.IsPathRooted(model))
            return model.Split('@')[0];
        string directory = Path.TrimEndingDirectorySeparator(model);
        return HubCache.IdentityOf(directory)?.Id ?? Path.GetFileName(directory);
    }
}
