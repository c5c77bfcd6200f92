// A decoder-only language model over packed documents: load, hidden states, logits.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models.Kernels;
using LoraBuild.Engine.Models.Recomputation;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>p(token | tokens before it in the same document). Weights are frozen unless loaded for full fine-tuning.</summary>
public sealed class CausalLM : IDisposable
{
    public const string WeightsFileName = ModelFiles.SingleFileName;

    private readonly LoadedWeights weights;
    private readonly DecoderLayer[] layers;
    private readonly RopeTables[] ropes;
    private readonly AttentionMasks masks = new();
    private readonly WeightSlot finalNorm;

    private CausalLM(string directory, ModelConfig config, DecoderSpec spec, LoadedWeights weights, bool isFullyTrained)
    {
        ModelDirectory = directory;
        Config = config;
        Spec = spec;
        this.weights = weights;
        IsFullyTrained = isFullyTrained;
        Dictionary<string, WeightSlot> slots = weights.Tensors.ToDictionary(w => w.Key, w => new WeightSlot(w.Key, w.Value));
        foreach ((string name, IFrozenWeight frozen) in weights.Frozen)
            slots.Add(name, new WeightSlot(name, new LinearWeight(frozen)));
        string embedding = ParameterLayout.EmbeddingPath(spec), head = ParameterLayout.HeadPath;
        if (spec.IsHeadTied)
            slots.Add($"{head}.weight", new WeightSlot($"{head}.weight", weights[$"{embedding}.weight"]));
        Slots = slots;
        Embedding = new EmbeddingLayer(embedding, slots[$"{embedding}.weight"], spec.PaddingId);
        layers = [.. Enumerable.Range(0, spec.Layers.Count).Select(i => new DecoderLayer(spec, i, slots))];
        finalNorm = slots[$"{spec.ModulePrefix}.norm.weight"];
        Head = new LinearLayer(head, slots[$"{head}.weight"], null);
        ropes = [.. spec.Ropes.Select(r => new RopeTables(r))];
        LinearModules = [.. layers.SelectMany(l => l.Linears), Head];
    }

    public string ModelDirectory { get; }

    public ModelConfig Config { get; }

    public DecoderSpec Spec { get; }

    public EmbeddingLayer Embedding { get; }

    /// <summary><c>lm_head</c>; of a tied model its weight is the embedding's.</summary>
    public LinearLayer Head { get; }

    /// <summary>All linear modules in the order of the model, the head last.</summary>
    public IReadOnlyList<LinearLayer> LinearModules { get; }

    /// <summary>Full fine-tuning: every weight is trained.</summary>
    public bool IsFullyTrained { get; }

    public int VocabSize => Spec.VocabSize;

    public int HiddenSize => Spec.HiddenSize;

    public int LayerCount => layers.Length;

    public Device Device => finalNorm.Base.device;

    /// <summary>Type of weights and arithmetic.</summary>
    public ScalarType Dtype => finalNorm.Base.dtype;

    /// <summary>[vocab, hidden]: logits = cap(LogitScale · hidden · HeadWeightᵀ). With an adapter on the head it is W + s·B·A, a new differentiable tensor.</summary>
    public LinearWeight HeadWeight => Head.ActiveAdapter is { } adapter ? adapter.EffectiveWeight(Head.Matrix) : Head.Matrix;

    public double LogitScale => Spec.LogitScale;

    /// <summary>logits → cap · tanh(logits / cap); null: none.</summary>
    public double? LogitSoftcap => Spec.LogitSoftcap;

    /// <summary>Every weight by its Hugging Face name; of a tied model the head has a slot of its own over the embedding's values.</summary>
    internal IReadOnlyDictionary<string, WeightSlot> Slots { get; }

    /// <summary>How <see cref="TrainingPass"/> does without the graphs of all layers; null: it keeps them.</summary>
    internal LayerRecomputation? RecomputedLayers { get; set; }

    /// <summary>Noise on the input of the first layer while gradients are recorded; null: none.</summary>
    internal NeftuneNoise? InputNoise { get; set; }

    /// <summary>The adapter's tensors while one is attached.</summary>
    internal IReadOnlyList<(string Name, Tensor Value)> AdapterParameters { get; set; } = [];

    /// <exception cref="DiagnosticException">LB04xx: config.json or weight files cannot be read. LB0500–LB0505: the family or a setting of it is not known. LB0506: a type that the device cannot compute in. LB0510–LB0513: weights do not fit config.json.</exception>
    public static CausalLM Load(string modelDirectory, LoadOptions options)
    {
        string directory = Path.GetFullPath(modelDirectory);
        if (options.Dtype == ScalarType.Float16 && (options.Device ?? CPU).type == TorchSharp.DeviceType.CPU)
            throw new DiagnosticException("LB0506", "the arithmetic would be in float16 on a CPU, which libtorch does not have; use float32 (the default; float16 weights are widened) or bfloat16", directory);
        ModelConfig config = ModelConfig.Load(directory);
        DecoderSpec spec = DecoderFamilies.Describe(config);
        if (options.Quantization is not null && (options.RequiresGrad || (options.RandomWeights && !options.DrawOnDevice)))
            throw new ArgumentException("weights that are trained, or random from a seed, are not quantised", nameof(options));
        LoadedWeights weights = options.RandomWeights ? RandomWeights.Create(spec, options) : WeightLoader.Load(directory, spec, options);
        return new CausalLM(directory, config, spec, weights, options.RequiresGrad);
    }

    /// <summary>A frozen model over weights that came from elsewhere.</summary>
    /// <param name="weights">As <see cref="ParameterLayout"/> names and orders them; owned by the model.</param>
    internal static CausalLM FromWeights(string directory, ModelConfig config, DecoderSpec spec, OrderedDictionary<string, Tensor> weights) =>
        new(directory, config, spec, new LoadedWeights(weights), isFullyTrained: false);

    /// <param name="observe">Called with 0 and the input of the first layer, then with i + 1 and the output of layer i, each [P, hidden] and valid during the call.</param>
    /// <returns>[P, hidden] after the final norm, attached to the caller's dispose scope.</returns>
    public Tensor HiddenStates(PackedBatch batch, Action<int, Tensor>? observe = null) => Forward(batch, null, observe);

    /// <summary>Hidden states of tokens that go on after those in <paramref name="cache"/>; their keys and values are added to it.</summary>
    /// <param name="batch">One document whose positions go on.</param>
    public Tensor HiddenStates(PackedBatch batch, KeyValueCache cache)
    {
        if (batch.DocumentCount != 1)
            throw new ArgumentException("a cache belongs to one sequence", nameof(batch));
        Tensor hidden = Forward(batch, cache, null);
        cache.Advance(batch.TokenCount);
        return hidden;
    }

    /// <summary>The hidden states of documents whose loss will be minimised.</summary>
    /// <param name="batch">Stays until the backward pass.</param>
    /// <returns>Attached, with everything that it keeps, to the caller's dispose scope.</returns>
    internal ITrainingPass TrainingPass(PackedBatch batch)
    {
        if (RecomputedLayers is not { } recomputed)
            return new WholeGraphPass(HiddenStates(batch));
        return new RecomputedPass(layers, NewPass(batch, null), Embed(batch), FinalNorm, recomputed.File);
    }

    /// <param name="hidden">[P, hidden] after the final norm.</param>
    /// <returns>[P, vocab] fp32, after scale and cap.</returns>
    public Tensor Logits(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        Tensor logits = Head.Forward(hidden).to_type(ScalarType.Float32);
        if (LogitScale != 1)
            logits = logits.mul_(LogitScale);
        if (LogitSoftcap is double cap)
            logits = logits.div_(cap).tanh_().mul(cap);
        return logits.MoveToOuterDisposeScope();
    }

    /// <summary>Of the model without an adapter, however its weights are held; tied weights once.</summary>
    public long ParameterCount => weights.ParameterCount;

    /// <summary>All weights that are plain tensors, with their Hugging Face names; a tied head is not listed. Modules that are trained as copies (<c>modules_to_save</c>) appear as they were.</summary>
    public IEnumerable<(string Name, Tensor Value)> NamedParameters() => weights.Tensors.Select(w => (w.Key, w.Value));

    /// <summary>What an optimizer trains, in a fixed order: all weights by name in full fine-tuning, else the tensors of the attached adapter by their names in its file.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> TrainableParameters() =>
        IsFullyTrained ? [.. NamedParameters()] : AdapterParameters;

    /// <summary>
    /// Writes model.safetensors with the names of the files that the model came from; of a multimodal model the other parts are copied from there as they are.
    /// config.json and the tokenizer are the caller's.
    /// </summary>
    /// <param name="dtype">Type of the decoder's weights in the file; null: as held.</param>
    public void SaveWeights(string directory, TensorDtype? dtype = null)
    {
        using ModelFiles? source = ModelFiles.Exist(ModelDirectory) ? ModelFiles.Open(ModelDirectory) : null;
        WeightNames names = source is null ? WeightNames.Default(Spec) : WeightNames.Of(source, Spec);
        if (weights.Frozen.Count > 0)
            throw new InvalidOperationException("a model whose weights are held otherwise than as tensors is not written");
        List<TensorToWrite> tensors = [.. weights.Tensors.Select(w => TensorTypes.ToWrite(names.InFiles(w.Key), w.Value, dtype))];
        if (source is not null)
            tensors.AddRange(source.Tensors.Keys.Where(n => WeightNames.IsOfAnotherPart(n, Spec)).Select(n => TensorToWrite.CopyOf(source.FileOf(n), n)));
        SafetensorsWriter.Write(Path.Combine(directory, WeightsFileName), tensors, new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>Gives back the weights of the layers: from then on only <see cref="Logits"/> can be asked for.</summary>
    internal void ReleaseLayers() => weights.Release(name => name.StartsWith($"{Spec.ModulePrefix}.layers.", StringComparison.Ordinal));

    public void Dispose()
    {
        weights.Dispose();
        foreach (RopeTables rope in ropes)
            rope.Dispose();
        masks.Dispose();
    }

    private Tensor Forward(PackedBatch batch, KeyValueCache? cache, Action<int, Tensor>? observe)
    {
        using var scope = NewDisposeScope();
        using ForwardPass pass = NewPass(batch, cache);
        Tensor x = Embed(batch); // [P, hidden]
        observe?.Invoke(0, x);
        for (int i = 0; i < layers.Length; i++)
        {
            Tensor next = layers[i].Forward(x, pass);
            x.Dispose();
            x = next;
            observe?.Invoke(i + 1, x);
        }

        return FinalNorm(x).MoveToOuterDisposeScope();
    }

    private ForwardPass NewPass(PackedBatch batch, KeyValueCache? cache) =>
        new(batch, [.. ropes.Select(r => r.Rows(batch.PositionIds, batch.LargestPosition, Dtype))], masks, cache);

    /// <returns>[P, hidden]: the input of the first layer.</returns>
    private Tensor Embed(PackedBatch batch)
    {
        using var scope = NewDisposeScope();
        Tensor x = Embedding.Forward(batch.InputIds);
        if (Spec.EmbeddingScale != 1)
        {
            // The factor itself is rounded to the type of the embedding (in bf16 √48 is 6.9375).
            using Tensor factor = tensor((float)Spec.EmbeddingScale, device: x.device);
            using Tensor rounded = factor.to_type(x.dtype);
            x = x.mul(rounded);
        }

        if (InputNoise?.Draw(batch, x) is Tensor noise)
            x = x.add(noise);
        return x.MoveToOuterDisposeScope();
    }

    private Tensor FinalNorm(Tensor x) => RmsNorm.Apply(x, finalNorm.Value, Spec.NormEps, Spec.HasUnitOffsetNorm);
}
