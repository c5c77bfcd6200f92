// A LoRA adapter on a model: attach fresh or from PEFT files, train, save.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Adapters;

/// <summary>The low-rank updates of a model's linear modules and the modules that are trained whole beside them. Disposing detaches it.</summary>
public sealed class LoraAdapter : IDisposable
{
    private const string BiasSuffix = ".bias";

    private readonly CausalLM model;
    private readonly PeftAdapterConfig config;
    private readonly AdapterSwitch shared;
    private readonly AdapterTensors tensors;

    private LoraAdapter(CausalLM model, PeftAdapterConfig config, AdapterSwitch shared, AdapterTensors tensors)
    {
        this.model = model;
        this.config = config;
        this.shared = shared;
        this.tensors = tensors;
        IReadOnlyList<LoraLinear> modules = tensors.Modules;
        Dictionary<string, LinearLayer> linears = model.LinearModules.ToDictionary(l => l.Path);
        foreach (LoraLinear module in modules)
            linears[module.Target.Path].Adapter = module;
        model.Embedding.Adapter = tensors.Embedding;
        model.Embedding.TrainedRows = tensors.TokenRows;
        if ((tensors.HeadRows ?? (model.Spec.IsHeadTied ? tensors.TokenRows : null)) is { } ofHead)
            model.Head.Adapter = ofHead;
        foreach ((string name, Tensor value) in tensors.Replaced)
            model.Slots[name].Replacement = new ReplacedWeight(value, () => shared.IsEnabled);
        model.AdapterParameters = Parameters();
    }

    public IReadOnlyList<LoraLinear> Modules => tensors.Modules;

    /// <summary>What adapter_config.json says.</summary>
    public PeftAdapterConfig Config => config;

    /// <summary>False: the model computes as if nothing were attached.</summary>
    public bool IsEnabled
    {
        get => shared.IsEnabled;
        set => shared.IsEnabled = value;
    }

    /// <summary>A fresh adapter: B zero, so that the model computes what it did before.</summary>
    /// <exception cref="DiagnosticException">LB0520–LB0529: the options do not fit the model.</exception>
    public static LoraAdapter Attach(CausalLM model, LoraOptions options)
    {
        CheckFree(model);
        AdapterPlan plan = Plan(model, options);
        Dictionary<string, LinearLayer> linears = model.LinearModules.ToDictionary(l => l.Path);
        AdapterSwitch shared = new();
        using var noGrad = no_grad();
        using Generator generator = new(unchecked((ulong)options.Seed), CPU);
        List<LoraLinear> modules = [];
        foreach (AdapterTarget target in plan.Targets)
        {
            LinearLayer linear = linears[target.Path];
            Tensor a = empty([target.R, linear.InFeatures], dtype: ScalarType.Float32);
            double bound = 1 / Math.Sqrt(linear.InFeatures); // Kaiming with a = √5: √(6 / ((1 + 5) · in))
            _ = options.Init == LoraInit.Gaussian ? a.normal_(0, 1.0 / target.R, generator) : a.uniform_(-bound, bound, generator);
            Tensor b = zeros([linear.OutFeatures, target.R], dtype: ScalarType.Float32);
            (Tensor A, Tensor B)? start = null;
            if (options.HasOwnStart)
            {
                using Tensor wide = linear.BaseMatrix.Whole(ScalarType.Float32);
                start = LowRankStart.Create(options.Init, wide, target, target.Scaling, model.Device);
                (a, b) = (start.Value.A.clone(), start.Value.B.clone());
            }

            Parameter trainedA = Trained(a, model.Device, true);
            Parameter trainedB = Trained(b, model.Device, true);
            Parameter? magnitude = null;
            if (options.UseDora)
            {
                using Tensor squares = LoraLinear.SquaredNorms(linear.BaseMatrix);
                magnitude = Trained(squares.sqrt(), model.Device, true); // BA is 0, or B₀A₀: the norms of W itself
            }

            modules.Add(new LoraLinear(target, trainedA, trainedB, magnitude, options.LoraDropout, modules.Count, shared, start));
        }

        AdapterTensors tensors = new(modules) { TokenRows = FreshRows(model, options, plan, shared) };
        foreach (string path in plan.SavedModules)
        {
            WeightSlot slot = model.Slots[$"{path}.weight"];
            tensors.Replace(slot.Name, plan.KeepsTie && tensors.Replaced.Count > 0 ? tensors.Replaced[0].Value : Trained(slot.BaseMatrix.Copy(), model.Device, true));
        }

        foreach (WeightSlot bias in TrainedBiases(model, options.Bias, modules))
            tensors.Replace(bias.Name, Trained(TensorTypes.Converted(bias.Base, bias.Base.dtype, model.Device).clone(), model.Device, true));
        return new LoraAdapter(model, options.ToPeftConfig(plan, model.Spec), shared, tensors);
    }

    /// <summary>An adapter from PEFT's files; the modules are those of the weight file.</summary>
    /// <param name="isTrainable">Its tensors get gradients.</param>
    /// <exception cref="DiagnosticException">LB0420–LB0423: files cannot be read. LB0526: they do not fit the model. LB0527, LB0529: they cannot be trained further.</exception>
    public static LoraAdapter Load(CausalLM model, string peftDirectory, bool isTrainable)
    {
        CheckFree(model);
        using PeftAdapterFiles files = PeftAdapterFiles.Read(peftDirectory);
        AdapterSwitch shared = new();
        return new LoraAdapter(model, files.Config, shared, AdapterLoader.Load(model, files, shared, isTrainable));
    }

    /// <summary>From now on, while gradients are recorded, inputs of A are dropped with lora_dropout; the same seed gives the same masks. Without gradients nothing is ever dropped.</summary>
    public void SetDropoutSeed(long seed) => SetDropout(RowRandomness.Of(seed));

    /// <summary>The same for passes whose rows have seeds of their own.</summary>
    internal void SetDropout(RowRandomness randomness) => shared.Dropout = randomness;

    /// <summary>All trained tensors once, by their names in the adapter's file, in the order of the model: A, B, magnitude of each module.</summary>
    public IReadOnlyList<(string Name, Tensor Value)> Parameters() => [.. Named().DistinctBy(p => p.Value.Handle)];

    /// <summary>W + s·BA, or DoRA's merged weight: what a plain linear module needs to compute the same.</summary>
    /// <returns>[out, in], the type of the base weight, without gradient.</returns>
    public Tensor MergedWeight(LoraLinear module)
    {
        using var noGrad = no_grad();
        return module.EffectiveWeight(model.LinearModules.First(l => l.Path == module.Target.Path).Matrix);
    }

    /// <summary>Writes adapter_config.json and adapter_model.safetensors as PEFT does. What started as PiSSA or OLoRA is written as the plain LoRA [A; A₀], [B, −B₀], which needs no changed base weights.</summary>
    /// <exception cref="InvalidOperationException">The adapter was read with parts that are not trained here; its own file has them.</exception>
    public void Save(string directory)
    {
        if (!tensors.IsWritable)
            throw new InvalidOperationException("the adapter has parts that are only read");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> converted = [];
        foreach (LoraLinear module in Modules)
        {
            if (module.Start is not (Tensor a0, Tensor b0))
                continue;
            converted[PeftAdapterFiles.KeyOfA(module.Target.Path)] = cat([module.A, a0], 0);
            converted[PeftAdapterFiles.KeyOfB(module.Target.Path)] = cat([module.B, b0.neg()], 1);
        }

        PeftAdapterFiles.Write(directory, config, [.. Named().Select(p => TensorTypes.ToWrite(p.Name, converted.GetValueOrDefault(p.Name, p.Value)))]);
    }

    /// <summary>What a checkpoint must hold beside <see cref="Parameters"/>: the constants that the saved adapter has within other tensors.</summary>
    internal IEnumerable<(string Name, Tensor Value)> Constants() => Modules.Where(m => m.Start is not null).SelectMany(m => new[]
    {
        ($"{m.Target.Path}.start_A", m.Start!.Value.A),
        ($"{m.Target.Path}.start_B", m.Start!.Value.B),
    });

    public void Dispose()
    {
        foreach (LinearLayer linear in model.LinearModules)
            linear.Adapter = null;
        model.Embedding.Adapter = null;
        model.Embedding.TrainedRows = null;
        foreach ((string name, _) in tensors.Replaced)
            model.Slots[name].Replacement = null;
        model.AdapterParameters = [];
        tensors.Dispose();
    }

    /// <summary>Every tensor of the file, also one that stands under two names.</summary>
    private IEnumerable<(string Name, Tensor Value)> Named()
    {
        string head = $"{model.Head.Path}.weight";
        if (tensors.TokenRows is not null)
            yield return (PeftAdapterFiles.KeyOfRows(model.Embedding.Path), tensors.TokenRows.Rows);
        if (tensors.HeadRows is not null)
            yield return (PeftAdapterFiles.KeyOfRows(model.Head.Path), tensors.HeadRows.Rows);
        foreach ((string name, Tensor value) in tensors.Replaced.Where(r => r.Name != head))
            yield return (PeftAdapterFiles.KeyPrefix + KeyOf(name), value);
        foreach (LoraLinear module in Modules)
        {
            yield return (PeftAdapterFiles.KeyOfA(module.Target.Path), module.A);
            yield return (PeftAdapterFiles.KeyOfB(module.Target.Path), module.B);
            if (module.Magnitude is not null)
                yield return (PeftAdapterFiles.KeyOfMagnitude(module.Target.Path), module.Magnitude);
        }

        foreach ((string name, Tensor value) in tensors.Replaced.Where(r => r.Name == head))
            yield return (PeftAdapterFiles.KeyPrefix + name, value);
    }

    /// <exception cref="DiagnosticException">LB0522 no such token, or twice; LB0524 the embedding is trained whole beside.</exception>
    private static TrainedTokenRows? FreshRows(CausalLM model, LoraOptions options, AdapterPlan plan, AdapterSwitch shared)
    {
        IReadOnlyList<int> tokens = options.TrainableTokenIndices;
        if (tokens.Count == 0)
            return null;
        if (tokens.Any(t => t < 0 || t >= model.VocabSize) || tokens.Distinct().Count() != tokens.Count)
            throw new DiagnosticException("LB0522", $"trainable_token_indices is [{string.Join(", ", tokens.Take(10))}]; allowed are different token ids from 0 to {model.VocabSize - 1}");
        string[] whole = model.Spec.IsHeadTied ? [model.Embedding.Path, model.Head.Path] : [model.Embedding.Path];
        if (options.ModulesToSave.Any(m => whole.Any(p => p == m || p.EndsWith('.' + m, StringComparison.Ordinal))) || (model.Spec.IsHeadTied && plan.Targets.Any(t => t.Path == model.Head.Path)))
            throw new DiagnosticException("LB0524", "trainable_token_indices trains rows of a matrix that is also in modules_to_save or a target of the adapter; name it in one of them");
        using Tensor ids = tensor(tokens.Select(t => (long)t).ToArray(), device: model.Device);
        return new TrainedTokenRows(tokens, Trained(model.Embedding.BaseMatrix.Rows(ids).to(ScalarType.Float32), model.Device, true), model.VocabSize, shared);
    }

    /// <summary>PEFT wraps an adapted module, so that its bias stands one level deeper.</summary>
    private string KeyOf(string name) => name.EndsWith(BiasSuffix, StringComparison.Ordinal) && Modules.Any(m => m.Target.Path == name[..^BiasSuffix.Length])
        ? name[..^BiasSuffix.Length] + ".base_layer" + BiasSuffix
        : name;

    /// <summary>all: every bias of the model; lora_only: those of adapted modules.</summary>
    private static IEnumerable<WeightSlot> TrainedBiases(CausalLM model, string bias, IReadOnlyList<LoraLinear> modules) => bias switch
    {
        "all" => model.Slots.Values.Where(s => s.Name.EndsWith(BiasSuffix, StringComparison.Ordinal)),
        "lora_only" => modules.Select(m => model.Slots.GetValueOrDefault(m.Target.Path + BiasSuffix)).OfType<WeightSlot>(),
        _ => [],
    };

    internal static Parameter Trained(Tensor value, Device device, bool isTrainable)
    {
        Tensor placed = value.to(device).DetachFromDisposeScope();
        Parameter parameter = new(placed, isTrainable);
        parameter.DetachFromDisposeScope();
        return parameter;
    }

    private static void CheckFree(CausalLM model)
    {
        if (model.IsFullyTrained || model.LinearModules.Any(l => l.Adapter is not null))
            throw new InvalidOperationException("an adapter needs a frozen model without another adapter");
    }

    private static AdapterPlan Plan(CausalLM model, LoraOptions options)
    {
        AdapterPlan plan = AdapterPlan.Create(options, [.. model.LinearModules.Select(l => l.Path)], model.Embedding.Path, model.Spec.IsHeadTied, model.Spec.IgnoredFilePrefixes.Count > 0);
        CheckDropout(model, options.LoraDropout, plan.Targets.Select(t => t.Path));
        return plan;
    }

    /// <summary>The loss reads the head's weight and not its inputs, so there is no input to drop.</summary>
    internal static void CheckDropout(CausalLM model, double dropout, IEnumerable<string> targets)
    {
        if (dropout > 0 && targets.Contains(model.Head.Path))
            throw new DiagnosticException("LB0527", $"lora_dropout is {dropout.ToString(System.Globalization.CultureInfo.InvariantCulture)} and the adapter targets {model.Head.Path}; dropout before the head is not built. Set lora_dropout to 0 or leave {model.Head.Path} out");
    }
}
