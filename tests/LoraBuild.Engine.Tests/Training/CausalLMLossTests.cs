// The chunked loss against the plain one: all logits, log-softmax, autograd.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Quantization;
using LoraBuild.Engine.Training;
#if NATIVE_KERNELS
using LoraBuild.Torch.Native;
#endif
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training;

public sealed class CausalLMLossTests
{
    private const double Tolerance = 2e-6; // fp32, sums of some hundred terms

    [Theory]
    [InlineData(1.0, null, 7)]
    [InlineData(1.0, null, 1000)]
    [InlineData(0.3, null, 5)]
    [InlineData(1.0, 2.0, 5)]
    [InlineData(0.7, 3.0, 4)]
    public void The_chunked_head_equals_the_plain_one(double logitScale, double? softcap, long rowsOfChunk)
    {
        using DisposeScope scope = NewDisposeScope();
        using Generator generator = new(3);
        Tensor hidden = randn([23, 12], generator: generator).requires_grad_();
        Tensor weight = randn([31, 12], generator: generator).requires_grad_();
        Tensor targets = randint(0, 31, [23], dtype: ScalarType.Int64, generator: generator);
        const double scale = 0.25;

        Tensor logits = nn.functional.linear(hidden, weight).mul(logitScale);
        if (softcap is double cap)
            logits = logits.div(cap).tanh().mul(cap);
        Tensor loss = logits.log_softmax(1).gather(1, targets.unsqueeze(1)).sum().neg();
        loss.mul(scale).backward();

        Tensor hiddenGradient = zeros_like(hidden);
        Tensor weightGradient = zeros_like(weight);
        double sum = new HeadCrossEntropy(weight, logitScale, softcap).Run(hidden, targets, scale, hiddenGradient, weightGradient, rowsOfChunk);

        Assert.Equal(loss.item<float>(), sum, 1e-4);
        Same(hidden.grad!, hiddenGradient);
        Same(weight.grad!, weightGradient);
    }

    [Theory]
    [InlineData(0.0, true)]
    [InlineData(0.1, false)]
    [InlineData(0.3, true)]
    public void Label_smoothing_and_weights_of_tokens_are_those_of_the_plain_formula(double smoothing, bool hasWeights)
    {
        using DisposeScope scope = NewDisposeScope();
        using Generator generator = new(4);
        Tensor hidden = randn([23, 12], generator: generator).requires_grad_();
        Tensor weight = randn([31, 12], generator: generator).requires_grad_();
        Tensor targets = randint(0, 31, [23], dtype: ScalarType.Int64, generator: generator);
        Tensor weights = hasWeights ? randn([23], generator: generator) : ones(23);

        // transformers' LabelSmoother: (1 − ε)·nll + ε·Σ_v −log p(v) / V
        Tensor logProbabilities = nn.functional.linear(hidden, weight).log_softmax(1);
        Tensor nll = logProbabilities.gather(1, targets.unsqueeze(1)).squeeze(1).neg();
        Tensor losses = nll.mul(1 - smoothing).add(logProbabilities.sum(1).neg().div(31).mul(smoothing));
        Tensor loss = losses.mul(weights).sum();
        loss.backward();

        (Tensor hiddenGradient, Tensor weightGradient, Tensor found) = (zeros_like(hidden), zeros_like(weight), zeros(23));
        double sum = new HeadCrossEntropy(weight, 1, null, smoothing).Run(hidden, targets, 1, hiddenGradient, weightGradient, 5, hasWeights ? weights : null, found);

        Assert.Equal(loss.item<float>(), sum, 1e-4);
        Same(losses, found);
        Same(hidden.grad!, hiddenGradient);
        Same(weight.grad!, weightGradient);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16, 7)]
    [InlineData(ScalarType.BFloat16, 1000)]
    [InlineData(ScalarType.Float16, 5)]
    public void A_stored_head_gives_the_loss_and_gradient_of_its_widened_copy(ScalarType type, long rowsOfChunk)
    {
        using DisposeScope scope = NewDisposeScope();
        using Generator generator = new(5);
        Tensor hidden = randn([23, 600], generator: generator).mul(0.1);
        Tensor narrow = randn([2500, 600], generator: generator).to_type(type); // several tiles
        Tensor wide = narrow.to_type(ScalarType.Float32);
        Tensor targets = randint(0, 2500, [23], dtype: ScalarType.Int64, generator: generator);
        using StoredWeight stored = new(narrow);
        (Tensor expected, Tensor actual) = (zeros_like(hidden), zeros_like(hidden));
        double plainSum = new HeadCrossEntropy(wide, 0.7, 30).Run(hidden, targets, 0.25, expected, null, rowsOfChunk);
        double storedSum = new HeadCrossEntropy(new LinearWeight(stored), 0.7, 30).Run(hidden, targets, 0.25, actual, null, rowsOfChunk);
        Assert.Equal(plainSum, storedSum, 1e-4);
        Same(expected, actual);
        Assert.Equal(storedSum, new HeadCrossEntropy(new LinearWeight(stored), 0.7, 30).Run(hidden, targets, 1, null, null, rowsOfChunk), 1e-4);
    }

#if NATIVE_KERNELS
    /// <summary>What is alive at once, as the allocator of large tensors counts it.</summary>
    [Theory]
    [InlineData(151_936, false)]
    [InlineData(151_936, true)]
    [InlineData(262_144, false)]
    public void No_tensor_of_tokens_times_vocabulary_ever_exists(int vocabSize, bool isStored)
    {
        const int Tokens = 2000, Width = 8;
        using DisposeScope scope = NewDisposeScope();
        using Generator generator = new(6);
        Tensor hidden = randn([Tokens, Width], generator: generator);
        Tensor narrow = randn([vocabSize, Width], generator: generator).to_type(ScalarType.BFloat16);
        Tensor wide = narrow.to_type(ScalarType.Float32);
        Tensor targets = randint(0, vocabSize, [Tokens], dtype: ScalarType.Int64, generator: generator);
        using StoredWeight stored = new(narrow);
        HeadCrossEntropy head = new(isStored ? new LinearWeight(stored) : wide, 1, null);
        NativeRuntime.TrimTensorMemory(); // the most that was alive counts from now
        long before = NativeRuntime.TensorBytes.Live;
        head.Run(hidden, targets, 1, zeros_like(hidden), null);
        long needed = NativeRuntime.TensorBytes.MostLive - before;
        long chunk = HeadCrossEntropy.RowsOfChunk(vocabSize) * vocabSize * sizeof(float);
        Assert.InRange(needed, 1, chunk + (8 << 20)); // a tile of the weight, the gradient of the hidden states, and nothing as large as the chunk
        Assert.True(needed * 12 < (long)Tokens * vocabSize * sizeof(float), $"{needed / 1e6:F0} MB");
    }
#endif

    [Fact]
    public void An_adapter_gets_the_gradient_of_the_plain_loss() => SameGradients(
        () => CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions()),
        model => LoraAdapter.Load(model, Path.Combine(Golden.Lora("llama-tied-qkv-r4"), "adapter_final"), isTrainable: true));

    [Fact]
    public void All_weights_get_the_gradient_of_the_plain_loss_through_a_tied_head_and_an_untied_one()
    {
        SameGradients(() => CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { RequiresGrad = true }), null);
        SameGradients(() => CausalLM.Load(Golden.Model("llama-untied-rope3"), new LoadOptions { RequiresGrad = true }), null);
    }

    [Fact]
    public void An_adapter_on_the_head_gets_the_gradient_of_the_plain_loss() => SameGradients(
        () => CausalLM.Load(Golden.Model("llama-untied-rope3"), new LoadOptions()),
        model => LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, LoraDropout = 0, TargetModules = ["q_proj", "lm_head"], Seed = 1 }));

    private static void SameGradients(Func<CausalLM> load, Func<CausalLM, LoraAdapter>? attach)
    {
        using CausalLM model = load();
        using LoraAdapter? adapter = attach?.Invoke(model);
        TokenDocuments documents = Documents.Random(5, 1, 12, model.VocabSize, seed: 11);
        MicroBatch batch = MicroBatch.Create(documents, Enumerable.Range(0, documents.Count));
        const double scale = 0.125;

        double expected = PlainBackward(model, batch, scale);
        Dictionary<string, float[]> gradients = TakeGradients(model);
        using DisposeScope scope = NewDisposeScope();
        using PackedBatch packed = batch.ToPacked(model.Device);
        double sum = CausalLMLoss.Backward(model, model.HiddenStates(packed), batch, scale);

        Assert.Equal(expected, sum, 1e-4);
        Assert.Equal(expected, CausalLMLoss.Sum(model, model.HiddenStates(packed), batch), 1e-4);
        Dictionary<string, float[]> actual = TakeGradients(model);
        Assert.Equal(gradients.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach ((string name, float[] values) in gradients)
        {
            float largest = Math.Max(1, values.Max(Math.Abs));
            Assert.True(GoldenTensors.LargestDifference(values, actual[name]) <= Tolerance * largest, name);
        }
    }

    private static double PlainBackward(CausalLM model, MicroBatch batch, double scale)
    {
        using DisposeScope scope = NewDisposeScope();
        using PackedBatch packed = batch.ToPacked(model.Device);
        Tensor logits = model.Logits(model.HiddenStates(packed)); // [P, vocab]
        Tensor selected = logits.index_select(0, tensor(batch.TargetPositions));
        Tensor loss = selected.log_softmax(1).gather(1, tensor(batch.TargetIds).unsqueeze(1)).sum().neg();
        loss.mul(scale).backward();
        return loss.item<float>();
    }

    private static Dictionary<string, float[]> TakeGradients(CausalLM model)
    {
        using DisposeScope scope = NewDisposeScope();
        Dictionary<string, float[]> gradients = [];
        foreach ((string name, Tensor value) in model.TrainableParameters())
        {
            Tensor? gradient = value.grad;
            if (gradient is null)
                continue;
            gradients[name] = gradient.data<float>().ToArray();
            gradient.zero_();
        }

        return gradients;
    }

    private static void Same(Tensor expected, Tensor actual)
    {
        using Tensor difference = expected.sub(actual).abs().max();
        Assert.True(difference.item<float>() <= Tolerance * 10, $"differs by {difference.item<float>()}");
    }
}
