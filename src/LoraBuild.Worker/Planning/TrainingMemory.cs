// From a recipe, and what is known of its model and data, to the memory that training will need.
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Core.Recipes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Planning;
using LoraBuild.Engine.Training;
using LoraBuild.Worker.Stages;

namespace LoraBuild.Worker.Planning;

/// <param name="Config">Of the base model.</param>
/// <param name="ModelDirectory">Where its weights are.</param>
/// <param name="Train">Null while the tokens are not made.</param>
/// <param name="IsCuda">Weights and arithmetic are on a CUDA device.</param>
/// <param name="Dtype">What weights and arithmetic are asked to have; null: as <see cref="Compute"/> has it.</param>
/// <param name="ResidentBytes">What a process holds with the program and libtorch loaded, and nothing else.</param>
internal sealed record MemoryFacts(ModelConfig Config, string ModelDirectory, TokenDocuments? Train, TokenDocuments? Evaluation, bool IsCuda, TensorDtype? Dtype, long ResidentBytes)
{
    /// <summary>Each evaluation answers sample questions.</summary>
    public bool HasSamples { get; init; }
}

internal sealed class TrainingMemory
{
    /// <summary>Code and buffers that come with the first step.</summary>
    private const long FirstStepBytes = 25_000_000;

    /// <summary>The runtime compiles a method again when it was called so often (its TC_CallCountThreshold).</summary>
    private const int CallsUntilRecompiled = 30;

    /// <summary>The code that this makes, the compiler's work space, which malloc keeps, and what the managed heap grows by: the peak of 150 steps of the quickstart less that of three.</summary>
    private const long LaterBytes = 14_000_000;

    /// <summary>Tokenizer, template and generation: what sample answers add to the peak of the same run.</summary>
    private const long SamplesBytes = 12_000_000;

    /// <summary>A CUDA context with libtorch's kernels. Not measured here.</summary>
    public const long CudaContextBytes = 500_000_000;

    /// <summary>allocator.cpp: tensors from this size on are blocks.</summary>
    private const long BlockBytes = 256 << 10;

    private readonly MemoryFacts facts;
    private readonly DecoderSpec spec;
    private readonly PackedWeight? stored; // one of those that the files hold quantised
    private readonly int storedBytes = sizeof(float); // of one number of most of the weights that they do not

    public TrainingMemory(MemoryFacts facts)
    {
        this.facts = facts;
        spec = DecoderFamilies.Describe(facts.Config);
        if (!ModelFiles.Exist(facts.ModelDirectory))
            return;
        using ModelFiles files = ModelFiles.Open(facts.ModelDirectory);
        stored = files.Tensors.Keys.Select(n => PackedWeight.Find(files, n)).FirstOrDefault(w => w is not null);
        storedBytes = files.Tensors.Values.Where(t => t.Dtype.IsFloat()).GroupBy(t => t.Dtype.ByteSize()).MaxBy(g => g.Sum(t => t.ByteLength))?.Key ?? storedBytes;
    }

    /// <summary>The files hold weights in bitsandbytes' codes, and so does memory, whatever the recipe says of quantising.</summary>
    public bool IsStoredQuantized => stored is not null;

    public MemoryPlan Of(Recipe recipe) => MemoryPlanner.Plan(Question(recipe));

    public MemoryQuestion Question(Recipe recipe)
    {
        bool isFull = recipe.Adapter.Type == "none";
        TrainOptions options = TrainOptionsBuilder.From(recipe, "");
        int plain = WidthOf(facts.Dtype ?? DtypeOf(recipe.Base.Dtype) ?? (facts.IsCuda ? facts.Config.Dtype ?? TensorDtype.F32 : TensorDtype.F32));
        // What is trained, and what the arithmetic is narrower than, has the type of the arithmetic.
        bool isHeldAsStored = !isFull && plain == sizeof(float) && recipe.Base is { WeightsInMemory: "stored", Weights: not "random" };
        PackedWeight? kept = recipe.Base.Weights == "random" ? null : stored;
        WeightQuantization quantization = kept is null ? QuantizationOf(recipe) : kept.Code == WeightCode.Int8 ? WeightQuantization.Int8 : WeightQuantization.FourBit;
        bool isDouble = kept is null ? recipe.Base.DoubleQuant : kept.Nested is not null;
        WeightHolding weights = new(isHeldAsStored ? storedBytes : plain, quantization, isDouble)
        {
            OtherBytes = plain,
            VocabularyBytes = !isFull && !facts.IsCuda && plain == sizeof(float) && (isHeldAsStored || quantization != WeightQuantization.None) ? storedBytes : null,
        };
        bool isFused = KernelTraits.HasFusedKernels && !facts.IsCuda && plain == sizeof(float);
        bool hasFusedWeights = quantization == WeightQuantization.None || recipe.Base.ComputeDtype != "bfloat16"; // which rounds what it multiplies
        LoraOptions? lora = isFull ? null : LoraOptionsBuilder.From(recipe);
        return new MemoryQuestion
        {
            Spec = spec,
            Weights = weights,
            Trained = lora is null ? TrainedTensors.OfFullTraining(spec) : TrainedTensors.OfLora(spec, lora),
            TrainedBytes = isFull ? plain : sizeof(float),
            Optimizer = new OptimizerMemory(options.Optimizer, options.SgdMomentum > 0, PagedBeyond: options.IsStatePaged ? options.ResidentStateBytes : null, IsOfDevice: facts.IsCuda),
            Kernels = facts.IsCuda ? KernelTraits.OwnOnCuda(spec) : KernelTraits.Own(spec, isFused, hasFusedWeights && !isFull, plain),
            Batch = LargestBatch.OfTraining(spec, facts.Train, options),
            Evaluation = LargestBatch.OfEvaluation(spec, facts.Evaluation, options.EvaluationBatchTokens),
            ComputeBytes = plain,
            Recomputation = !options.GradientCheckpointing ? Recomputation.None : options.ActivationOffloading ? Recomputation.LayersOffloaded : Recomputation.Layers,
            HasOwnStart = lora is { HasOwnStart: true },
            LoraDropout = lora?.LoraDropout ?? 0,
            KeepsTie = lora is { EnsureWeightTying: true } && spec.IsHeadTied,
            HoldsStart = lora is not null && options.Guard.OnNan == OnNan.Rollback,
            ConvertedFileBytes = ConvertedBytes(recipe, weights),
            RuntimeBytes = facts.IsCuda ? CudaContextBytes : facts.ResidentBytes + FirstStepBytes + (IsLong(options) ? LaterBytes : 0) + (facts.HasSamples ? SamplesBytes : 0),
            BlockBytes = facts.IsCuda ? 0 : BlockBytes,
        };
    }

    /// <summary>What is called once a step is compiled again, too. A sample answer alone is a pass for each token. Unknown lengths count as many steps.</summary>
    private bool IsLong(TrainOptions options) => facts.HasSamples || facts.Train is null || Trainer.PlanOf(facts.Train, options).TotalSteps >= CallsUntilRecompiled;

    /// <summary>Mapped files whose weights are copied, because they are held in another type or written to; pages stay resident until all are loaded.</summary>
    private long ConvertedBytes(Recipe recipe, WeightHolding weights)
    {
        if (facts.IsCuda || recipe.Base.Weights == "random" || !ModelFiles.Exist(facts.ModelDirectory))
            return 0;
        using ModelFiles files = ModelFiles.Open(facts.ModelDirectory);
        bool isCopied = recipe.Adapter.Type == "none";
        return files.Tensors.Values.Where(t => t.Dtype.IsFloat() && (isCopied || t.Dtype.ByteSize() != weights.PlainBytes)).Sum(t => t.ByteLength);
    }

    private static WeightQuantization QuantizationOf(Recipe recipe) => recipe.Base.Quantization switch
    {
        "nf4" or "fp4" => WeightQuantization.FourBit,
        "int8" => WeightQuantization.Int8,
        _ => WeightQuantization.None,
    };

    private static TensorDtype? DtypeOf(string name) => name switch
    {
        "float32" => TensorDtype.F32,
        "bfloat16" => TensorDtype.BF16,
        "float16" => TensorDtype.F16,
        _ => null,
    };

    private static int WidthOf(TensorDtype dtype) => dtype.ByteSize();
}
