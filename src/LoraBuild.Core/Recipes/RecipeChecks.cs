// What no single value shows: keys that are missing and values that contradict one another.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

internal static class RecipeChecks
{
    public static void Check(Recipe recipe, IDiagnosticSink sink)
    {
        Required(recipe, "base.model", "Write a directory or a hub id, such as google/gemma-3-4b-it.", sink);
        Required(recipe, "dataset.sources", "Write a list of files, such as [{path: data.jsonl}].", sink);
        CheckSplit(recipe, sink);
        CheckAdapter(recipe, sink);
        if (recipe.Train is { ActivationOffloading: true, GradientCheckpointing: false })
            Conflict(recipe, "train.activation_offloading", "train.activation_offloading moves what train.gradient_checkpointing keeps, and that is false. Set both, or neither.", sink);
        ScheduleKeys.Check(recipe, sink);
        RecipeSupport.Check(recipe, sink);
    }

    private static void Required(Recipe recipe, string key, string mend, IDiagnosticSink sink)
    {
        if (!recipe.Places.ContainsKey(key))
            Report(recipe, key, "LB0009", $"the recipe has no {key}. {mend}", sink);
    }

    private static void CheckSplit(Recipe recipe, IDiagnosticSink sink)
    {
        SplitSection split = recipe.Dataset.Split;
        bool hasEvalSources = split.EvalSources.Count > 0;
        if (!hasEvalSources && split.Eval + split.Test >= 1)
        {
            string key = recipe.Places.ContainsKey("dataset.split.test") ? "dataset.split.test" : "dataset.split.eval";
            Conflict(recipe, key, $"dataset.split.eval ({RecipeText.Number(split.Eval)}) and dataset.split.test ({RecipeText.Number(split.Test)}) leave nothing to train on; together they must be < 1.", sink);
        }

        if (recipe.Train.EarlyStoppingPatience is not null && !hasEvalSources && split.Eval == 0)
            Conflict(recipe, "train.early_stopping_patience", "train.early_stopping_patience needs an evaluation set, and dataset.split.eval is 0. Hold something out (0.1), give eval_sources, or remove the patience.", sink);
    }

    private static void CheckAdapter(Recipe recipe, IDiagnosticSink sink)
    {
        AdapterSection adapter = recipe.Adapter;
        if (adapter.Type == "none")
        {
            if (adapter.InitFrom is not null)
                Conflict(recipe, "adapter.init_from", "adapter.init_from gives an adapter, and adapter.type none trains the model's own weights. Set adapter.type: lora, or remove init_from.", sink);
            if (adapter.ModulesToSave.Count > 0)
                Conflict(recipe, "adapter.modules_to_save", "adapter.modules_to_save belongs to an adapter, and adapter.type none trains everything. Remove it, or set adapter.type: lora.", sink);
            if (recipe.Base.Quantization != "none")
                Conflict(recipe, "base.quantization", $"base.quantization {recipe.Base.Quantization} freezes the weights, and adapter.type none trains them. Set adapter.type: lora, or quantization: none.", sink);
        }
        else if (adapter is { TargetModules.Count: 0, TargetModulesPattern: null, ModulesToSave.Count: 0, InitFrom: null })
        {
            Conflict(recipe, "adapter.target_modules", "adapter.target_modules names no module, so there would be nothing to train. Common values are [q_proj, v_proj] and all-linear.", sink);
        }

        if (adapter.LayersToTransform is not null && adapter.TargetModulesPattern is not null)
            Conflict(recipe, "adapter.layers_to_transform", "adapter.layers_to_transform counts only beside a list of target_modules, and target_modules is a pattern. Put the layer numbers into the pattern, or give a list.", sink);
        if (recipe.Base.Weights == "random" && recipe.Base.Quantization != "none")
            Conflict(recipe, "base.quantization", $"base.weights random has fresh weights, which cannot be held as {recipe.Base.Quantization}. Set base.quantization: none.", sink);
    }

    private static void Conflict(Recipe recipe, string key, string message, IDiagnosticSink sink) => Report(recipe, key, "LB0010", message, sink);

    private static void Report(Recipe recipe, string key, string code, string message, IDiagnosticSink sink)
    {
        RecipePlace place = recipe.PlaceOf(key);
        sink.Report(Diagnostic.Error(code, message, place.File, place.Line, place.Column));
    }
}
