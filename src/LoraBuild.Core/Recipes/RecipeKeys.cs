// Every key of a recipe in one table: it drives reading, messages, fingerprints and the check of docs/recipe.md.
using System.Text;
using LoraBuild.Core.Formats.Gguf;
using static LoraBuild.Core.Recipes.CompositeKinds;
using static LoraBuild.Core.Recipes.Stage;
using static LoraBuild.Core.Recipes.ValueKinds;

namespace LoraBuild.Core.Recipes;

/// <summary>The keys that a recipe may have. Defaults come from the records' initialisers.</summary>
public static class RecipeKeys
{
    private static readonly Recipe Defaults = new();

    internal static IReadOnlyList<string> GgufTypes { get; } = [.. GgufMix.All.Select(m => m.Name)];

    /// <summary>Keys of one item of <c>dataset.sources</c> (and of <c>dataset.split.eval_sources</c>, under its own name).</summary>
    internal static IReadOnlyList<BoundKey<DatasetSource>> Source { get; } = [.. SourceTable("dataset.sources[].")];

    private static readonly IReadOnlyList<BoundKey<DatasetSource>> EvalSource = [.. SourceTable("dataset.split.eval_sources[].")];

    /// <summary>Keys of the recipe itself, in the order of the documentation.</summary>
    internal static IReadOnlyList<BoundKey<Recipe>> Bound { get; } =
        [.. General(), .. BaseTable(), .. DatasetTable(), .. TemplateTable(), .. AdapterTable(), .. TrainTable(), .. EvaluateTable(), .. MergeTable(), .. ExportTable()];

    /// <summary><c>extends</c> is no value: it is resolved before the values are read.</summary>
    private static readonly RecipeKey Extends = new(
        RecipeFiles.ExtendsKey, "text or list of text", "none", "recipe files (relative to this one) or preset:NAME", [],
        "Recipes that this one builds on; maps merge key by key, everything else replaces, later ones win over earlier ones.");

    /// <summary>Every key, also those of list items, in the order of the documentation.</summary>
    public static IReadOnlyList<RecipeKey> All { get; } = [Extends, .. Bound.SelectMany(WithItems)];

    /// <summary>Exactly the keys that <paramref name="stage"/> reads, one <c>key: value</c> a line, sorted: equal recipes give equal text, whatever their files looked like. Directories and template files are left out, because their content is hashed elsewhere.</summary>
    public static string CanonicalText(Recipe recipe, Stage stage)
    {
        string baseDirectory = Path.GetDirectoryName(recipe.FilePath) is { Length: > 0 } directory ? directory : Path.GetPathRoot(Path.GetFullPath("."))!;
        if (stage == Template)
            recipe = WithTokensOnly(recipe);
        StringBuilder text = new();
        foreach (BoundKey<Recipe> bound in Bound.Where(b => b.Key.Stages.Contains(stage)).OrderBy(b => b.Key.Name, StringComparer.Ordinal))
            text.Append(bound.Key.Name).Append(": ").Append(bound.Format(recipe, baseDirectory)).Append('\n');
        return text.ToString();
    }

    /// <summary>Of the sources the template stage reads only those that are already tokenized; the others reach it through what the prepare stage wrote.</summary>
    private static Recipe WithTokensOnly(Recipe recipe)
    {
        DatasetSection dataset = recipe.Dataset;
        return recipe with
        {
            Dataset = dataset with { Sources = Tokens(dataset.Sources), Split = dataset.Split with { EvalSources = Tokens(dataset.Split.EvalSources) } },
        };

        static IReadOnlyList<DatasetSource> Tokens(IReadOnlyList<DatasetSource> sources) =>
            [.. sources.Where(s => s.Format == "tokens" || s.Path.EndsWith(".safetensors", StringComparison.Ordinal))];
    }

    private static IEnumerable<RecipeKey> WithItems(BoundKey<Recipe> bound) => bound.Key.Name switch
    {
        "dataset.sources" => [bound.Key, .. Source.Select(s => s.Key)],
        "dataset.split.eval_sources" => [bound.Key, .. EvalSource.Select(s => s.Key)],
        _ => [bound.Key],
    };

    private static IEnumerable<BoundKey<Recipe>> General()
    {
        KeyGroup<Recipe, Recipe> keys = new("", Defaults, r => r, (_, r) => r);
        yield return keys.Key("name", FileName, r => r.Name, (r, v) => r with { Name = v }, "The model's name, also in the names of exported files. Default: the recipe file's name.", Export);
        yield return keys.Key("seed", Long, r => r.Seed, (r, v) => r with { Seed = v }, "Start of every random choice: mixing, fresh weights, order of documents, dropout.", Prepare, Template, Train, Evaluate);
    }

    private static IEnumerable<BoundKey<Recipe>> BaseTable()
    {
        KeyGroup<Recipe, BaseSection> keys = new("base.", Defaults, r => r.Base, (r, s) => r with { Base = s });
        yield return keys.RequiredKey("model", Model, s => s.Model, (s, v) => s with { Model = v }, "The model that is tuned.", Template, Train, Evaluate, Merge);
        yield return keys.Key("tokenizer", OptionalReference(Model), s => s.Tokenizer, (s, v) => s with { Tokenizer = v }, "Another directory's tokenizer; null: the model's own.", Template, Train, Evaluate, Merge);
        yield return keys.Key("dtype", Choice("auto", "float32", "bfloat16", "float16"), s => s.Dtype, (s, v) => s with { Dtype = v }, "How frozen weights are held; auto: as in the file, float32 where the device has no fast arithmetic for that.", Train, Evaluate);
        yield return keys.Key("weights", Choice("pretrained", "random"), s => s.Weights, (s, v) => s with { Weights = v }, "random: fresh weights in the shape of the model's config.json (pre-training).", Train, Evaluate, Merge);
        yield return keys.Key("quantization", Choice("none", "nf4", "fp4", "int8"), s => s.Quantization, (s, v) => s with { Quantization = v }, "How the frozen linear weights of the layers are compressed in memory (QLoRA), in bitsandbytes' codes.", Train, Evaluate, Merge);
        yield return keys.Key("double_quant", Flag, s => s.DoubleQuant, (s, v) => s with { DoubleQuant = v }, "Whether the scales of nf4 and fp4 are quantized too.", Train, Evaluate, Merge);
        yield return keys.Key("compute_dtype", Choice("auto", "float32", "bfloat16", "float16"), s => s.ComputeDtype, (s, v) => s with { ComputeDtype = v }, "What operands and results of products with quantized weights are rounded to; auto: the type of the arithmetic.", Train, Evaluate, Merge);
        yield return keys.Key("weights_in_memory", Choice("widened", "stored"), s => s.WeightsInMemory, (s, v) => s with { WeightsInMemory = v }, "stored: bf16 and fp16 matrices stay mapped from their file and are widened by tile in each float32 product, half the memory for the same results. Embedding and head are always held so beside quantised layers.", Train, Evaluate);
    }

    private static IEnumerable<BoundKey<Recipe>> DatasetTable()
    {
        KeyGroup<Recipe, DatasetSection> keys = new("dataset.", Defaults, r => r.Dataset, (r, s) => r with { Dataset = s });
        KeyGroup<Recipe, SplitSection> split = new("dataset.split.", Defaults, r => r.Dataset.Split, (r, s) => r with { Dataset = r.Dataset with { Split = s } });
        yield return keys.RequiredKey("sources", SourceKind.Sources(Source, "dataset.sources", isEmptyAllowed: false), s => s.Sources, (s, v) => s with { Sources = v }, "Where conversations or texts come from; at least one.", Prepare, Template);
        yield return keys.Key("on_error", Choice("stop", "skip"), s => s.OnError, (s, v) => s with { OnError = v }, "What a broken line does: end the stage, or be left out with a warning.", Prepare, Template);
        yield return keys.Key("deduplicate", Flag, s => s.Deduplicate, (s, v) => s with { Deduplicate = v }, "Whether exact repetitions are removed.", Prepare);
        yield return split.Key("eval", Number(0, 1, isBelow: true, common: "0.05–0.1"), s => s.Eval, (s, v) => s with { Eval = v }, "Fraction of the documents that is held out for evaluation, chosen by content; not used when there are eval_sources.", Prepare, Template);
        yield return split.Key("test", Number(0, 1, isBelow: true, common: "0–0.1"), s => s.Test, (s, v) => s with { Test = v }, "Fraction that neither training nor evaluation sees.", Prepare, Template);
        yield return split.Key("eval_sources", SourceKind.Sources(EvalSource, "dataset.split.eval_sources", isEmptyAllowed: true), s => s.EvalSources, (s, v) => s with { EvalSources = v }, "Files that are the evaluation set.", Prepare, Template);
    }

    private static IEnumerable<BoundKey<DatasetSource>> SourceTable(string prefix)
    {
        KeyGroup<DatasetSource, DatasetSource> keys = new(prefix, new DatasetSource(), s => s, (_, s) => s);
        yield return keys.RequiredKey("path", DataPath, s => s.Path, (s, v) => s with { Path = v }, "A file, relative to the recipe that names it.", Prepare, Template);
        yield return keys.Key("format", Choice("auto", "messages", "sharegpt", "alpaca", "completion", "text", "preference", "tokens"), s => s.Format, (s, v) => s with { Format = v }, "What a record looks like; tokens: a safetensors file that is already tokenized.", Prepare, Template);
        yield return keys.Key("columns", MapOf(Text, "our name to column name"), s => s.Columns, (s, v) => s with { Columns = v }, "The source's own names: `{prompt: question, response: answer}`.", Prepare, Template);
        yield return keys.Key("weight", Number(0, isAbove: true, common: "0.1–3"), s => s.Weight, (s, v) => s with { Weight = v }, "How often the source's documents are taken when several are mixed.", Prepare, Template);
    }

    private static IEnumerable<BoundKey<Recipe>> TemplateTable()
    {
        KeyGroup<Recipe, TemplateSection> keys = new("template.", Defaults, r => r.Template, (r, s) => r with { Template = s });
        yield return keys.Key("chat_template", CompositeKinds.ChatTemplate, s => s.ChatTemplate, (s, v) => s with { ChatTemplate = v }, "The Jinja template that turns a conversation into text.", Template, Evaluate, Merge, Export);
        yield return keys.Key("system", OptionalReference(Text), s => s.System, (s, v) => s with { System = v }, "A system prompt for conversations that have none.", Template, Evaluate, Export);
        yield return keys.Key("loss", Choice("assistant", "all", "last"), s => s.Loss, (s, v) => s with { Loss = v }, "Whose tokens are targets: every assistant turn, everything, or the last assistant turn.", Template);
        yield return keys.Key("max_length", Integer(2, common: "512–4096"), s => s.MaxLength, (s, v) => s with { MaxLength = v }, "Longest document in tokens; with packing also the length of a row.", Template, Train);
        yield return keys.Key("truncation", Choice("drop_turns", "cut", "error"), s => s.Truncation, (s, v) => s with { Truncation = v }, "What happens to a longer document: whole turns are dropped, it is cut, or it is an error.", Template);
        yield return keys.Key("packing", Flag, s => s.Packing, (s, v) => s with { Packing = v }, "Whether several documents share a row; none sees another.", Template, Train);
        yield return keys.Key("now", Date, s => s.Now, (s, v) => s with { Now = v }, "The date that a template's strftime_now gives, so that the same data makes the same tokens on every day.", Template, Evaluate);
    }

    private static IEnumerable<BoundKey<Recipe>> AdapterTable()
    {
        KeyGroup<Recipe, AdapterSection> keys = new("adapter.", Defaults, r => r.Adapter, (r, s) => r with { Adapter = s });
        yield return keys.Key("type", Choice("lora", "dora", "none"), s => s.Type, (s, v) => s with { Type = v }, "none: full fine-tuning, every weight is trained.", Train, Evaluate, Merge);
        yield return keys.Key("r", Integer(1, common: "8–64"), s => s.R, (s, v) => s with { R = v }, "Rank of the update B·A.", Train);
        yield return keys.Key("lora_alpha", Number(0, isAbove: true, common: "r to 4·r"), s => s.LoraAlpha, (s, v) => s with { LoraAlpha = v }, "The update is scaled by lora_alpha / r.", Train);
        yield return keys.Key("lora_dropout", Number(0, 1, isBelow: true, common: "0–0.1"), s => s.LoraDropout, (s, v) => s with { LoraDropout = v }, "Share of the adapter's inputs set to zero while training.", Train);
        yield return keys.Key("target_modules", CompositeKinds.TargetModules, s => new TargetModules(s.TargetModules, s.TargetModulesPattern), (s, v) => s with { TargetModules = v.Names, TargetModulesPattern = v.Pattern }, "Which linear modules get an adapter.", Train);
        yield return keys.Key("exclude_modules", ListOf(Text, "module names"), s => s.ExcludeModules, (s, v) => s with { ExcludeModules = v }, "Modules that target_modules would match and that get none.", Train);
        yield return keys.Key("modules_to_save", ListOf(Text, "module names"), s => s.ModulesToSave, (s, v) => s with { ModulesToSave = v }, "Modules that are trained whole and saved with the adapter.", Train);
        yield return keys.Key("ensure_weight_tying", Flag, s => s.EnsureWeightTying, (s, v) => s with { EnsureWeightTying = v }, "Whether tied embeddings stay tied when one of them is in modules_to_save.", Train);
        yield return keys.Key("trainable_token_indices", ListOf(Integer(0), "token ids"), s => s.TrainableTokenIndices, (s, v) => s with { TrainableTokenIndices = v }, "Tokens whose rows of the embedding (and of a tied head) are trained, without a copy of the whole matrix.", Train);
        yield return keys.Key("use_rslora", Flag, s => s.UseRslora, (s, v) => s with { UseRslora = v }, "Scale by lora_alpha / √r instead.", Train);
        yield return keys.Key("init_lora_weights", Choice("default", "gaussian", "pissa", "olora"), s => s.InitLoraWeights, (s, v) => s with { InitLoraWeights = v }, "How a fresh adapter begins; default: A Kaiming-uniform, B zero.", Train);
        yield return keys.Key("init_from", OptionalReference(AdapterDirectory), s => s.InitFrom, (s, v) => s with { InitFrom = v }, "An adapter that training starts from.", Train);
        yield return keys.Key("rank_pattern", MapOf(Integer(1, common: "8–64"), "module name to r"), s => s.RankPattern, (s, v) => s with { RankPattern = v }, "Another r for some modules.", Train);
        yield return keys.Key("alpha_pattern", MapOf(Number(0, isAbove: true), "module name to lora_alpha"), s => s.AlphaPattern, (s, v) => s with { AlphaPattern = v }, "Another lora_alpha for some modules.", Train);
        yield return keys.Key("layers_to_transform", OptionalReference(ListOf(Integer(0), "layer numbers")), s => s.LayersToTransform, (s, v) => s with { LayersToTransform = v }, "Only these layers get adapters, counted from 0; null: all.", Train);
        yield return keys.Key("bias", Choice("none", "all", "lora_only"), s => s.Bias, (s, v) => s with { Bias = v }, "Which biases are trained.", Train);
    }

    private static IEnumerable<BoundKey<Recipe>> TrainTable()
    {
        KeyGroup<Recipe, TrainSection> keys = new("train.", Defaults, r => r.Train, (r, s) => r with { Train = s });
        KeyGroup<Recipe, GuardSection> guard = new("train.guard.", Defaults, r => r.Train.Guard, (r, s) => r with { Train = r.Train with { Guard = s } });
        KeyGroup<Recipe, PreferenceSection> preference = new("train.preference.", Defaults, r => r.Train.Preference, (r, s) => r with { Train = r.Train with { Preference = s } });
        yield return keys.Key("num_train_epochs", Number(0, isAbove: true, common: "1–5"), s => s.NumTrainEpochs, (s, v) => s with { NumTrainEpochs = v }, "Passes over the training documents; a fraction ends inside a pass.", Train);
        yield return keys.Key("max_steps", Optional(Integer(1, common: "100–10000")), s => s.MaxSteps, (s, v) => s with { MaxSteps = v }, "Optimizer steps; when given, num_train_epochs is not used.", Train);
        yield return keys.Key("per_device_train_batch_size", Integer(1, common: "1–16"), s => s.PerDeviceTrainBatchSize, (s, v) => s with { PerDeviceTrainBatchSize = v }, "Documents of a micro-batch; rows of max_length tokens when packing.", Template, Train);
        yield return keys.Key("per_device_train_batch_tokens", Optional(Integer(1, common: "1024–8192")), s => s.PerDeviceTrainBatchTokens, (s, v) => s with { PerDeviceTrainBatchTokens = v }, "Tokens of a micro-batch: as many documents as fit; when given, per_device_train_batch_size and packing are not used.", Train);
        yield return keys.Key("gradient_accumulation_steps", Integer(1, common: "1–32"), s => s.GradientAccumulationSteps, (s, v) => s with { GradientAccumulationSteps = v }, "Micro-batches of an optimizer step.", Train);
        yield return keys.Key("learning_rate", Number(0, 1, isAbove: true, common: "1e-5 to 5e-4"), s => s.LearningRate, (s, v) => s with { LearningRate = v }, "Largest learning rate of the schedule.", Train);
        yield return keys.Key("lr_scheduler_type", Choice(ScheduleKeys.Types), s => s.LrSchedulerType, (s, v) => s with { LrSchedulerType = v }, "How the learning rate falls after the warmup.", Train);
        yield return keys.Key("lr_scheduler_kwargs", MapOf(Text, "argument to value", ScheduleKeys.CheckName), s => s.LrSchedulerKwargs, (s, v) => s with { LrSchedulerKwargs = v }, "What the schedule is told beside its kind, by transformers' names: `{ min_lr_rate: 0.1 }`, `{ num_decay_steps: 50 }`.", Train);
        yield return keys.Key("warmup_ratio", Number(0, 1, common: "0–0.1"), s => s.WarmupRatio, (s, v) => s with { WarmupRatio = v }, "Share of the steps over which the rate rises from 0.", Train);
        yield return keys.Key("warmup_steps", Optional(Integer(0, common: "0–500")), s => s.WarmupSteps, (s, v) => s with { WarmupSteps = v }, "The same in steps; when given, warmup_ratio is not used.", Train);
        yield return keys.Key("weight_decay", Number(0, 1, common: "0–0.1"), s => s.WeightDecay, (s, v) => s with { WeightDecay = v }, "The optimizer's decay of weights, not of biases and norms.", Train);
        yield return keys.Key("optim", Choice("adamw", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit", "sgd", "adafactor", "lion"), s => s.Optim, (s, v) => s with { Optim = v }, "The optimizer. 8bit: moments of 8 bits in blocks of 256; paged: moments beyond optim_state_budget live in a file while training lasts.", Train);
        yield return keys.Key("optim_state_budget", Optional(Size), s => s.OptimStateBudget, (s, v) => s with { OptimStateBudget = v }, "How much of a paged optimizer's state stays in memory; null: nothing.");
        yield return keys.Key("sgd_momentum", Number(0, 1, isBelow: true, common: "0.9"), s => s.SgdMomentum, (s, v) => s with { SgdMomentum = v }, "Momentum of optim sgd; 0: none.", Train);
        yield return keys.Key("loraplus_lr_ratio", Optional(Number(0, isAbove: true, common: "4–16")), s => s.LoraplusLrRatio, (s, v) => s with { LoraplusLrRatio = v }, "LoRA+: how many times learning_rate the matrices B (and vectors) get; null: the same.", Train);
        yield return keys.Key("adam_beta1", Number(0, 1, isBelow: true, common: "0.9"), s => s.AdamBeta1, (s, v) => s with { AdamBeta1 = v }, "Decay of the first moment of AdamW and Lion.", Train);
        yield return keys.Key("adam_beta2", Number(0, 1, isBelow: true, common: "0.95–0.999"), s => s.AdamBeta2, (s, v) => s with { AdamBeta2 = v }, "Decay of the second moment of AdamW and Lion.", Train);
        yield return keys.Key("adam_epsilon", Number(0, 1, isAbove: true, common: "1e-8"), s => s.AdamEpsilon, (s, v) => s with { AdamEpsilon = v }, "Added to the root of the second moment.", Train);
        yield return keys.Key("max_grad_norm", Number(0, common: "0.3–1"), s => s.MaxGradNorm, (s, v) => s with { MaxGradNorm = v }, "Gradients are scaled down to this norm; 0: never.", Train);
        yield return preference.Key("loss", Choice("dpo", "ipo", "simpo", "orpo", "kto"), s => s.Loss, (s, v) => s with { Loss = v }, "The loss of preference pairs (format: preference); other data do not use it.", Train);
        yield return preference.Key("beta", Number(0, isAbove: true, common: "0.1; simpo 2–2.5"), s => s.Beta, (s, v) => s with { Beta = v }, "How strongly the answers are held to the reference; of orpo the weight of the odds ratio.", Train);
        yield return preference.Key("label_smoothing", Number(0, 0.5, isBelow: true, common: "0–0.3"), s => s.LabelSmoothing, (s, v) => s with { LabelSmoothing = v }, "Share of pairs thought to be labelled the wrong way round (dpo, simpo).", Train);
        yield return preference.Key("length_normalized", Flag, s => s.LengthNormalized, (s, v) => s with { LengthNormalized = v }, "dpo over the mean of an answer's tokens instead of their sum.", Train);
        yield return preference.Key("reference_free", Flag, s => s.ReferenceFree, (s, v) => s with { ReferenceFree = v }, "dpo without the reference model, which is the model without its adapter.", Train);
        yield return preference.Key("simpo_gamma", Number(0, common: "0.5–1.5"), s => s.SimpoGamma, (s, v) => s with { SimpoGamma = v }, "simpo's margin between the answers.", Train);
        yield return preference.Key("desirable_weight", Number(0, isAbove: true, common: "1"), s => s.DesirableWeight, (s, v) => s with { DesirableWeight = v }, "kto's weight of chosen answers.", Train);
        yield return preference.Key("undesirable_weight", Number(0, isAbove: true, common: "1"), s => s.UndesirableWeight, (s, v) => s with { UndesirableWeight = v }, "kto's weight of rejected answers.", Train);
        yield return keys.Key("label_smoothing_factor", Number(0, 1, isBelow: true, common: "0–0.1"), s => s.LabelSmoothingFactor, (s, v) => s with { LabelSmoothingFactor = v }, "Part of a target that is spread evenly over the vocabulary in the training loss.", Train);
        yield return keys.Key("neftune_noise_alpha", Optional(Number(0, isAbove: true, common: "5–15")), s => s.NeftuneNoiseAlpha, (s, v) => s with { NeftuneNoiseAlpha = v }, "NEFTune: noise on embeddings while training, scaled by alpha / √(length · width); null: none.", Train);
        yield return keys.Key("shuffle", Flag, s => s.Shuffle, (s, v) => s with { Shuffle = v }, "Whether each epoch has an order of its own; false: file order.", Template, Train);
        yield return keys.Key("group_by_length", Flag, s => s.GroupByLength, (s, v) => s with { GroupByLength = v }, "Whether documents of like length stand together in the shuffled order.", Train);
        yield return keys.Key("gradient_checkpointing", Flag, s => s.GradientCheckpointing, (s, v) => s with { GradientCheckpointing = v }, "Whether activations are computed again in the backward pass to save memory; the result has the same bytes.", Train);
        yield return keys.Key("activation_offloading", Flag, s => s.ActivationOffloading, (s, v) => s with { ActivationOffloading = v }, "Whether what gradient_checkpointing still keeps, the inputs of the layers, waits in a file in place of memory.", Train);
        yield return keys.Key("auto_find_batch_size", Flag, s => s.AutoFindBatchSize, (s, v) => s with { AutoFindBatchSize = v }, "Whether as much of a step is computed at once as fits into memory, found by trying before the first step; the documents of a step stay.", Train);
        yield return keys.Key("memory_limit", Optional(Size), s => s.MemoryLimit, (s, v) => s with { MemoryLimit = v }, "Training that is planned to need more memory does not start; null: what the machine, its control group and the process's limits leave.");
        yield return keys.Key("logging_steps", Integer(1, common: "1–50"), s => s.LoggingSteps, (s, v) => s with { LoggingSteps = v }, "Optimizer steps between two lines on the console.");
        yield return keys.Key("report_to", Choice("tensorboard", "none"), s => s.ReportTo, (s, v) => s with { ReportTo = v }, "Whether event files for TensorBoard are written, under tensorboard/.");
        yield return keys.Key("eval_steps", StepsOrFraction, s => s.EvalSteps, (s, v) => s with { EvalSteps = v }, "Steps between two evaluations.", Train);
        yield return keys.Key("eval_on_start", Flag, s => s.EvalOnStart, (s, v) => s with { EvalOnStart = v }, "Whether there is an evaluation before the first step too: the “before” of the table at the end. It decides about nothing.");
        yield return keys.Key("sample_prompts", Integer(0, common: "2–5"), s => s.SamplePrompts, (s, v) => s with { SamplePrompts = v }, "How many of the sample questions (evaluate.prompts, else the first held-out ones) each evaluation answers, greedily, into samples.jsonl; 0: none.");
        yield return keys.Key("sample_max_new_tokens", Integer(1, common: "16–128"), s => s.SampleMaxNewTokens, (s, v) => s with { SampleMaxNewTokens = v }, "Longest of these answers.");
        yield return keys.Key("save_steps", StepsOrFraction, s => s.SaveSteps, (s, v) => s with { SaveSteps = v }, "Steps between two checkpoints.");
        yield return keys.Key("save_total_limit", Integer(1, common: "1–5"), s => s.SaveTotalLimit, (s, v) => s with { SaveTotalLimit = v }, "Checkpoints that are kept.");
        yield return keys.Key("keep_epoch_checkpoints", Flag, s => s.KeepEpochCheckpoints, (s, v) => s with { KeepEpochCheckpoints = v }, "Whether the checkpoint at the end of each pass is written and stays.");
        yield return keys.Key("load_best_model_at_end", Flag, s => s.LoadBestModelAtEnd, (s, v) => s with { LoadBestModelAtEnd = v }, "Whether the adapter with the best evaluation is the result, not the last.", Train);
        yield return keys.Key("metric_for_best_model", Choice("eval_loss", "eval_perplexity", "eval_rewards/accuracies", "eval_rewards/margins"), s => s.MetricForBestModel, (s, v) => s with { MetricForBestModel = v }, "What the best adapter and early stopping are judged by; the last two are of preference pairs.", Train);
        yield return keys.Key("greater_is_better", Optional(Flag), s => s.GreaterIsBetter, (s, v) => s with { GreaterIsBetter = v }, "Whether that metric is to rise; null: as it is by nature.", Train);
        yield return keys.Key("early_stopping_patience", Optional(Integer(1, common: "2–5")), s => s.EarlyStoppingPatience, (s, v) => s with { EarlyStoppingPatience = v }, "Evaluations without improvement after which training ends; null: never.", Train);
        yield return keys.Key("early_stopping_threshold", Number(0, common: "0–0.01"), s => s.EarlyStoppingThreshold, (s, v) => s with { EarlyStoppingThreshold = v }, "By how much an evaluation must be better than the best one so far to count.", Train);
        yield return keys.Key("on_nan", Choice("rollback", "skip", "stop"), s => s.OnNan, (s, v) => s with { OnNan = v }, "What a bad step does (loss or gradient not finite, or as train.guard says): back to the last checkpoint with a lower rate, no update, or the end.", Train);
        yield return guard.Key("loss_spike", Optional(Number(1, isAbove: true, common: "3–10")), s => s.LossSpike, (s, v) => s with { LossSpike = v }, "A loss of so many times the mean of the last ten is a bad step; null: none is.", Train);
        yield return guard.Key("grad_norm", Optional(Number(0, isAbove: true, common: "10–1000")), s => s.GradNorm, (s, v) => s with { GradNorm = v }, "A gradient norm above this, before clipping, is a bad step; null: none is.", Train);
        yield return guard.Key("max_interventions", Integer(0, common: "1–5"), s => s.MaxInterventions, (s, v) => s with { MaxInterventions = v }, "Bad steps after which training fails.", Train);
        yield return guard.Key("lr_factor", Number(0, 1, isAbove: true, common: "0.5"), s => s.LrFactor, (s, v) => s with { LrFactor = v }, "What a rollback multiplies the learning rate with.", Train);
    }

    private static IEnumerable<BoundKey<Recipe>> EvaluateTable()
    {
        KeyGroup<Recipe, EvaluateSection> keys = new("evaluate.", Defaults, r => r.Evaluate, (r, s) => r with { Evaluate = s });
        yield return keys.Key("batch_tokens", Integer(1, common: "2048–16384"), s => s.BatchTokens, (s, v) => s with { BatchTokens = v }, "Tokens of one evaluation batch, also while training.", Train, Evaluate);
        yield return keys.Key("prompts", ListOf(Text, "texts"), s => s.Prompts, (s, v) => s with { Prompts = v }, "Questions that samples.md answers before and after; empty: the first ones of the evaluation set.", Evaluate);
        yield return keys.Key("max_new_tokens", Integer(1, common: "64–512"), s => s.MaxNewTokens, (s, v) => s with { MaxNewTokens = v }, "Longest answer in samples.md.", Evaluate);
    }

    private static IEnumerable<BoundKey<Recipe>> MergeTable()
    {
        KeyGroup<Recipe, MergeSection> keys = new("merge.", Defaults, r => r.Merge, (r, s) => r with { Merge = s });
        yield return keys.Key("into", Choice("original", "dequantized"), s => s.Into, (s, v) => s with { Into = v }, "Of a quantized base: its own weights, or the decoded ones that training saw.", Merge);
        yield return keys.Key("dtype", Choice("auto", "float32", "bfloat16", "float16"), s => s.Dtype, (s, v) => s with { Dtype = v }, "Of the merged weights; auto: the base model's.", Merge);
        yield return keys.Key("max_shard_size", Size, s => s.MaxShardSize, (s, v) => s with { MaxShardSize = v }, "Largest file of weights.", Merge);
        yield return keys.Key("max_drift", Number(0, isAbove: true, common: "1e-4 to 1e-2"), s => s.MaxDrift, (s, v) => s with { MaxDrift = v }, "Largest allowed difference between the logits of base + adapter and of the merged model.", Merge);
    }

    private static IEnumerable<BoundKey<Recipe>> ExportTable()
    {
        KeyGroup<Recipe, ExportSection> keys = new("export.", Defaults, r => r.Export, (r, s) => r with { Export = s });
        yield return keys.Key("gguf", ListOf(Choice([.. GgufTypes]), "GGUF types"), s => s.Gguf, (s, v) => s with { Gguf = v }, "One file is written for each. The types from q4_0 on give the tensors that suffer most a larger type, as llama.cpp's quantizer does.", Export);
        yield return keys.Key("max_perplexity_increase", MapOf(Number(0, common: "0.01–0.1"), "GGUF type to fraction", CheckGgufType), s => s.MaxPerplexityIncrease, (s, v) => s with { MaxPerplexityIncrease = v }, "Largest allowed relative increase of the merged model's perplexity.", Export);
    }

    private static string? CheckGgufType(string type) => GgufTypes.Contains(type) ? null : "one of " + string.Join(", ", GgufTypes);
}
