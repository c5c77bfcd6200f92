// What a recipe says, as records. A default stands in the initialiser here and nowhere else; docs/recipe.md lists every key.
namespace LoraBuild.Core.Recipes;

/// <summary>A recipe after <c>extends</c> and overrides. Property names are the keys in PascalCase.</summary>
public sealed record Recipe
{
    /// <summary>Absolute path of the recipe file; relative paths of the recipe are relative to the file that names them and are absolute here.</summary>
    public string FilePath { get; init; } = "";

    public string Name { get; init; } = "";
    public long Seed { get; init; } = 42;
    public BaseSection Base { get; init; } = new();
    public DatasetSection Dataset { get; init; } = new();
    public TemplateSection Template { get; init; } = new();
    public AdapterSection Adapter { get; init; } = new();
    public TrainSection Train { get; init; } = new();
    public EvaluateSection Evaluate { get; init; } = new();
    public MergeSection Merge { get; init; } = new();
    public ExportSection Export { get; init; } = new();

    /// <summary>Where each key that a file or an override gives has its value, by dotted key; <c>""</c> is the recipe itself.</summary>
    public IReadOnlyDictionary<string, RecipePlace> Places { get; init; } = new Dictionary<string, RecipePlace>();

    /// <summary>Where <paramref name="key"/> is given, else its section, else the recipe: the place of a diagnostic about it.</summary>
    public RecipePlace PlaceOf(string key)
    {
        for (; key.Length > 0; key = key[..Math.Max(key.LastIndexOf('.'), 0)])
        {
            if (Places.TryGetValue(key, out RecipePlace? place))
                return place;
        }

        return Places.TryGetValue("", out RecipePlace? whole) ? whole : new RecipePlace(FilePath, 1, 1);
    }
}

public sealed record BaseSection
{
    /// <summary>A directory (absolute here when it exists) or a hub id <c>org/name[@revision]</c>. Required.</summary>
    public string Model { get; init; } = "";

    /// <summary>Directory or hub id whose tokenizer is used; null: the model's own.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>auto | float32 | bfloat16 | float16: how frozen weights are held.</summary>
    public string Dtype { get; init; } = "auto";

    /// <summary>pretrained | random: random starts from fresh weights in the shape of the model's config.json (pre-training).</summary>
    public string Weights { get; init; } = "pretrained";

    /// <summary>none | nf4 | fp4 | int8: how the linear weights of the layers are held.</summary>
    public string Quantization { get; init; } = "none";
    public bool DoubleQuant { get; init; } = true;
    public string ComputeDtype { get; init; } = "auto";

    /// <summary>widened | stored: whether bf16 and fp16 weights are held in the type of the arithmetic, or as in the file.</summary>
    public string WeightsInMemory { get; init; } = "stored";
}

public sealed record DatasetSection
{
    public IReadOnlyList<DatasetSource> Sources { get; init; } = [];

    /// <summary>stop | skip: what a broken line does.</summary>
    public string OnError { get; init; } = "stop";
    public bool Deduplicate { get; init; } = true;
    public SplitSection Split { get; init; } = new();
}

public sealed record DatasetSource
{
    /// <summary>Absolute path or glob.</summary>
    public string Path { get; init; } = "";

    /// <summary>auto | messages | sharegpt | alpaca | completion | text | preference | tokens.</summary>
    public string Format { get; init; } = "auto";

    /// <summary>Our role (prompt, response, system, …) to the source's column name.</summary>
    public IReadOnlyDictionary<string, string> Columns { get; init; } = new Dictionary<string, string>();
    public double Weight { get; init; } = 1.0;

    /// <summary>Where the source is named: file, line, column.</summary>
    public RecipePlace Place { get; init; } = RecipePlace.None;
}

public sealed record SplitSection
{
    /// <summary>Fraction of documents held out for evaluation, 0 ≤ x &lt; 1, by content hash.</summary>
    public double Eval { get; init; } = 0.1;
    public double Test { get; init; }

    /// <summary>Files that are the evaluation set; then <see cref="Eval"/> is not used.</summary>
    public IReadOnlyList<DatasetSource> EvalSources { get; init; } = [];
}

public sealed record TemplateSection
{
    /// <summary>auto (the model's own) | a file | a built-in name | model:DIR. Absolute here when a file.</summary>
    public string ChatTemplate { get; init; } = "auto";

    /// <summary>A system prompt for conversations that have none.</summary>
    public string? System { get; init; }

    /// <summary>assistant | all | last: whose tokens are targets.</summary>
    public string Loss { get; init; } = "assistant";

    /// <summary>Longest document in tokens; with packing the length of a row.</summary>
    public int MaxLength { get; init; } = 512;

    /// <summary>drop_turns | cut | error.</summary>
    public string Truncation { get; init; } = "drop_turns";
    public bool Packing { get; init; } = true;

    /// <summary>The date that a template's <c>strftime_now</c> gives; the default is the one that Llama 3's template falls back to where there is no clock.</summary>
    public DateTime Now { get; init; } = new(2024, 7, 26, 0, 0, 0, DateTimeKind.Unspecified);
}

public sealed record AdapterSection
{
    /// <summary>lora | dora | none (full fine-tuning).</summary>
    public string Type { get; init; } = "lora";
    public int R { get; init; } = 8;
    public double LoraAlpha { get; init; } = 32;
    public double LoraDropout { get; init; } = 0.05;

    /// <summary>Module names or suffixes; empty when <see cref="TargetModulesPattern"/> is set.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = ["q_proj", "k_proj", "v_proj"];

    /// <summary>A regular expression over whole module paths, or <c>all-linear</c>; null when a list is given.</summary>
    public string? TargetModulesPattern { get; init; }
    public IReadOnlyList<string> ExcludeModules { get; init; } = [];
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];
    public bool EnsureWeightTying { get; init; }

    /// <summary>Token ids whose rows of the embedding are trained.</summary>
    public IReadOnlyList<int> TrainableTokenIndices { get; init; } = [];
    public bool UseRslora { get; init; }

    /// <summary>default | gaussian | pissa | olora.</summary>
    public string InitLoraWeights { get; init; } = "default";

    /// <summary>An existing PEFT adapter to start from (absolute).</summary>
    public string? InitFrom { get; init; }
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new Dictionary<string, int>();
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();
    public IReadOnlyList<int>? LayersToTransform { get; init; }

    /// <summary>none | all | lora_only.</summary>
    public string Bias { get; init; } = "none";
}

public sealed record TrainSection
{
    public double NumTrainEpochs { get; init; } = 3;

    /// <summary>Optimizer steps; when set it overrides <see cref="NumTrainEpochs"/>.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Documents a micro-batch; rows of max_length tokens when packing.</summary>
    public int PerDeviceTrainBatchSize { get; init; } = 2;

    /// <summary>Tokens a micro-batch; when set it overrides <see cref="PerDeviceTrainBatchSize"/> and packing.</summary>
    public int? PerDeviceTrainBatchTokens { get; init; }
    public int GradientAccumulationSteps { get; init; } = 4;
    public double LearningRate { get; init; } = 1e-4;

    /// <summary>transformers' SchedulerType; wsd is warmup_stable_decay.</summary>
    public string LrSchedulerType { get; init; } = "cosine";
    public IReadOnlyDictionary<string, string> LrSchedulerKwargs { get; init; } = System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty;
    public double WarmupRatio { get; init; } = 0.05;

    /// <summary>When set it overrides <see cref="WarmupRatio"/>.</summary>
    public int? WarmupSteps { get; init; }
    public double WeightDecay { get; init; } = 0.01;
    public string Optim { get; init; } = "adamw";

    /// <summary>Bytes of a paged optimizer's state that stay in memory; null: none.</summary>
    public long? OptimStateBudget { get; init; }
    public double SgdMomentum { get; init; }

    /// <summary>Bytes that training may need; null: what the machine has.</summary>
    public long? MemoryLimit { get; init; }

    /// <summary>LoRA+; null: one rate for all.</summary>
    public double? LoraplusLrRatio { get; init; }
    public double AdamBeta1 { get; init; } = 0.9;
    public double AdamBeta2 { get; init; } = 0.999;
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>0 switches clipping off.</summary>
    public double MaxGradNorm { get; init; } = 1.0;
    /// <summary>Where the documents are preference pairs.</summary>
    public PreferenceSection Preference { get; init; } = new();
    public double LabelSmoothingFactor { get; init; }

    /// <summary>NEFTune; null: no noise.</summary>
    public double? NeftuneNoiseAlpha { get; init; }
    public bool Shuffle { get; init; } = true;
    public bool GroupByLength { get; init; }
    public bool GradientCheckpointing { get; init; }

    /// <summary>Only with <see cref="GradientCheckpointing"/>.</summary>
    public bool ActivationOffloading { get; init; }
    public bool AutoFindBatchSize { get; init; }
    public int LoggingSteps { get; init; } = 1;

    /// <summary>Optimizer steps (≥ 1), or a fraction of the run (&lt; 1); 0 evaluates only at the end.</summary>
    public double EvalSteps { get; init; } = 0.2;

    /// <summary>Also before the first step, so that there is a before and an after.</summary>
    public bool EvalOnStart { get; init; } = true;

    /// <summary>How many of the sample questions are answered at each evaluation.</summary>
    public int SamplePrompts { get; init; } = 2;
    public int SampleMaxNewTokens { get; init; } = 32;

    /// <summary>tensorboard | none.</summary>
    public string ReportTo { get; init; } = "tensorboard";
    public double SaveSteps { get; init; } = 0.2;
    public int SaveTotalLimit { get; init; } = 3;
    public bool LoadBestModelAtEnd { get; init; } = true;
    public bool KeepEpochCheckpoints { get; init; }

    /// <summary>eval_loss | eval_perplexity | eval_rewards/accuracies | eval_rewards/margins.</summary>
    public string MetricForBestModel { get; init; } = "eval_loss";

    /// <summary>Null: as the metric is.</summary>
    public bool? GreaterIsBetter { get; init; }
    public int? EarlyStoppingPatience { get; init; }
    public double EarlyStoppingThreshold { get; init; }

    /// <summary>rollback | skip | stop.</summary>
    public string OnNan { get; init; } = "rollback";
    public GuardSection Guard { get; init; } = new();
}

public sealed record GuardSection
{
    /// <summary>Times the mean of the last ten losses; null: no loss is a spike.</summary>
    public double? LossSpike { get; init; }

    /// <summary>Largest gradient norm before clipping; null: none is too large.</summary>
    public double? GradNorm { get; init; }
    public int MaxInterventions { get; init; } = 3;
    public double LrFactor { get; init; } = 0.5;
}

public sealed record PreferenceSection
{
    /// <summary>dpo | ipo | simpo | orpo | kto.</summary>
    public string Loss { get; init; } = "dpo";

    /// <summary>β; of ORPO λ.</summary>
    public double Beta { get; init; } = 0.1;

    /// <summary>Of dpo and simpo.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>dpo over means instead of sums.</summary>
    public bool LengthNormalized { get; init; }

    /// <summary>dpo without the reference.</summary>
    public bool ReferenceFree { get; init; }

    /// <summary>simpo's margin.</summary>
    public double SimpoGamma { get; init; } = 0.5;
    public double DesirableWeight { get; init; } = 1.0;
    public double UndesirableWeight { get; init; } = 1.0;
}

public sealed record EvaluateSection
{
    /// <summary>Tokens of one evaluation batch.</summary>
    public int BatchTokens { get; init; } = 4096;

    /// <summary>User messages that samples.md answers before and after; empty: the first evaluation documents' first questions.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];
    public int MaxNewTokens { get; init; } = 64;
}

public sealed record MergeSection
{
    /// <summary>original | dequantized: of a quantised base, what the adapter is added to.</summary>
    public string Into { get; init; } = "original";
    public string Dtype { get; init; } = "auto";

    /// <summary>Bytes; written as 5GB, 500MB.</summary>
    public long MaxShardSize { get; init; } = 5_000_000_000;

    /// <summary>Largest allowed difference of the logits of base+adapter and of the merged model.</summary>
    public double MaxDrift { get; init; } = 1e-3;
}

public sealed record ExportSection
{
    public IReadOnlyList<string> Gguf { get; init; } = ["f16", "q8_0"];

    /// <summary>GGUF type to the largest allowed relative increase of the merged model's perplexity.</summary>
    public IReadOnlyDictionary<string, double> MaxPerplexityIncrease { get; init; } = new Dictionary<string, double>();
}

/// <summary>Where a recipe says something. <see cref="Line"/> and <see cref="Column"/> count from 1.</summary>
public sealed record RecipePlace(string? File, int Line, int Column)
{
    public static RecipePlace None { get; } = new(null, 0, 0);
}
