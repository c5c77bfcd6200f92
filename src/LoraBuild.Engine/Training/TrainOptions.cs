// What the trainer needs to know, flat: recipe records stop at TrainOptionsBuilder.
using LoraBuild.Engine.Training.Optimizers;
using LoraBuild.Engine.Training.Preference;

namespace LoraBuild.Engine.Training;

/// <summary>Hyper-parameters of one run. Names and meaning are those of transformers' TrainingArguments.</summary>
public sealed record TrainOptions
{
    /// <summary>Seeds shuffling and dropout.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Passes over the data; a fraction ends inside a pass. Not used when <see cref="MaxSteps"/> is set.</summary>
    public double NumTrainEpochs { get; init; } = 3;

    /// <summary>Optimizer steps, or null.</summary>
    public int? MaxSteps { get; init; }

    /// <summary>Documents a micro-batch, or rows when <see cref="Packing"/>.</summary>
    public int BatchSize { get; init; } = 2;

    /// <summary>Micro-batches an optimizer step.</summary>
    public int AccumulationSteps { get; init; } = 1;

    /// <summary>Several documents fill a row of <see cref="MaxLength"/> tokens; each still sees only itself.</summary>
    public bool Packing { get; init; }

    /// <summary>Tokens of a packed row.</summary>
    public int MaxLength { get; init; } = 512;

    public bool Shuffle { get; init; } = true;

    /// <summary>Documents of like length stand together in each pass (<see cref="LengthGrouping"/>); only with <see cref="Shuffle"/>.</summary>
    public bool GroupByLength { get; init; }

    /// <summary>Peak rate.</summary>
    public double LearningRate { get; init; } = 1e-4;

    public LearningRateScheduleKind Schedule { get; init; } = LearningRateScheduleKind.Cosine;
    public ScheduleArguments ScheduleArguments { get; init; } = new();

    /// <summary>Warmup as a fraction of all steps, rounded up. Not used when <see cref="WarmupSteps"/> is set.</summary>
    public double WarmupRatio { get; init; }

    public int? WarmupSteps { get; init; }
    public OptimizerKind Optimizer { get; init; }

    /// <summary>The state of AdamW beyond <see cref="ResidentStateBytes"/> lives in a file in the output directory while the run lasts. Changes no bit of the result.</summary>
    public bool IsStatePaged { get; init; }

    /// <summary>Bytes of a paged state that stay in memory.</summary>
    public long ResidentStateBytes { get; init; }

    public double WeightDecay { get; init; }
    public double AdamBeta1 { get; init; } = 0.9;
    public double AdamBeta2 { get; init; } = 0.999;
    public double AdamEpsilon { get; init; } = 1e-8;

    /// <summary>Of SGD; 0: none.</summary>
    public double SgdMomentum { get; init; }

    /// <summary>LoRA+ (Hayou et al. 2024): what the rate of B and of vectors is multiplied with; null: one rate for all.</summary>
    public double? LoraPlusRatio { get; init; }

    /// <summary>Largest allowed norm of the whole gradient; 0 switches clipping off.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Part of the target's weight that is spread over the vocabulary; the reported training loss has it too, evaluation has not.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>NEFTune (Jain et al. 2023): α of the noise on embeddings; null: none.</summary>
    public double? NeftuneNoiseAlpha { get; init; }

    /// <summary>Where the documents are preference pairs.</summary>
    public PreferenceOptions Preference { get; init; } = new();

    /// <summary>Layers are computed again in the backward pass; changes no bit of the result.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>The inputs of layers that <see cref="GradientCheckpointing"/> keeps are in a scratch file of the output directory.</summary>
    public bool ActivationOffloading { get; init; }

    /// <summary>Passes are as large as memory allows, found before the first step by trying; the effective batch stays.</summary>
    public bool AutoFindBatchSize { get; init; }

    /// <summary>What memory there is, in any stable form: what was found to fit counts there alone.</summary>
    public string Machine { get; init; } = "";

    /// <summary>Optimizer steps between progress lines.</summary>
    public int LoggingSteps { get; init; } = 1;

    /// <summary>Optimizer steps (≥ 1), or a fraction of the run (&lt; 1) between evaluations; 0: only after the last step.</summary>
    public double EvalSteps { get; init; }

    /// <summary>Whether the model is measured before the first step too.</summary>
    public bool EvalOnStart { get; init; }

    /// <summary>On how many steps of the run the norm of each tensor's gradient is told, evenly spread; 0: on none.</summary>
    public int GradientHistograms { get; init; }

    /// <summary>Optimizer steps (≥ 1), or a fraction of the run (&lt; 1) between checkpoints; 0: only after the last step.</summary>
    public double SaveSteps { get; init; }

    /// <summary>Checkpoints kept, the best one beside them; 0 keeps all.</summary>
    public int SaveTotalLimit { get; init; }

    /// <summary>The checkpoint at the end of each pass is written and stays.</summary>
    public bool KeepEpochCheckpoints { get; init; }

    /// <summary>What "best" is judged by.</summary>
    public BestMetric MetricForBestModel { get; init; }

    /// <summary>Null: as the metric is.</summary>
    public bool? GreaterIsBetter { get; init; }

    /// <summary>By how much an evaluation must be better than the best one to count for early stopping.</summary>
    public double EarlyStoppingThreshold { get; init; }

    public GuardOptions Guard { get; init; } = new();

    /// <summary>The result is the state with the best evaluation (<see cref="MetricForBestModel"/>) instead of the last one. Without evaluation data it is the last one.</summary>
    public bool LoadBestModelAtEnd { get; init; }

    /// <summary>Evaluations in a row without a lower loss after which the run ends; null: never.</summary>
    public int? EarlyStoppingPatience { get; init; }

    /// <summary>Largest number of tokens in an evaluation batch.</summary>
    public int EvaluationBatchTokens { get; init; } = 4096;

    /// <summary>False starts over although there are checkpoints.</summary>
    public bool Resume { get; init; } = true;

    /// <summary>What else decides the result, in any stable form (the base weights' hash, the adapter's settings): part of the run's identity.</summary>
    public string ExternalIdentity { get; init; } = "";
}
