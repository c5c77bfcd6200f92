// AdamW, SGD, Lion: one fused pass over all trained tensors where their memory is at hand, tensor calls elsewhere.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>An update element by element. The result does not depend on the number of threads.</summary>
internal sealed class ElementwiseOptimizer : IOptimizer
{
    private readonly IElementwiseRule rule;
    private readonly IReadOnlyList<TrainedParameter> parameters;
    private readonly Tensor[][] states; // of each parameter, fp32 [elements]
    private readonly CollectedGradients gradients;

    /// <param name="isFused">False: tensor calls everywhere.</param>
    public ElementwiseOptimizer(IElementwiseRule rule, IReadOnlyList<TrainedParameter> parameters, bool isFused = true)
    {
        this.rule = rule;
        this.parameters = parameters;
        gradients = new CollectedGradients(parameters);
        IsFused = isFused;
        states = [.. parameters.Select(p => rule.StateNames.Select(_ => zeros([p.Value.NumberOfElements], dtype: ScalarType.Float32, device: p.Value.device).DetachFromDisposeScope()).ToArray())];
    }

    public int Steps { get; private set; }

    private bool IsFused { get; }

    public double CollectGradients() => gradients.Collect();

    public void Step(double learningRate, double gradientScale)
    {
        gradients.Require();
        using IDisposable noGrad = no_grad();
        Steps++;
        List<int> fused = [];
        List<DeviceParameter> onDevice = [];
        for (int i = 0; i < parameters.Count; i++)
        {
            if (IsFused && FloatMemory.IsPossible(parameters[i].Value) && (gradients[i] is null || FloatMemory.IsPossible(gradients[i]!)))
                fused.Add(i);
            else if (IsFused && DeviceAdamW.Fits(rule, parameters[i].Value, gradients[i]))
                onDevice.Add(new DeviceParameter(parameters[i].Value, gradients[i], states[i], Numbers(i, learningRate, gradientScale)));
            else
                UpdateByTensors(i, Numbers(i, learningRate, gradientScale));
        }

        UpdateFused(fused, learningRate, gradientScale);
        if (onDevice.Count > 0)
            DeviceAdamW.Update(rule, onDevice);
        gradients.Clear();
    }

    public void ClearGradients() => gradients.Clear();

    public void Reset()
    {
        using IDisposable noGrad = no_grad();
        gradients.Clear();
        Steps = 0;
        foreach (Tensor state in states.SelectMany(s => s))
            state.zero_();
    }

    public void Save(string path)
    {
        using DisposeScope scope = NewDisposeScope();
        TensorState.Write(path, StateTensors(), new Dictionary<string, string> { ["steps"] = TensorState.Text(Steps) });
    }

    public void Load(string path)
    {
        using DisposeScope scope = NewDisposeScope();
        Steps = TensorState.Number(TensorState.ReadInto(path, StateTensors())["steps"]);
    }

    public void Dispose()
    {
        gradients.Dispose();
        foreach (Tensor state in states.SelectMany(s => s))
            state.Dispose();
    }

    private UpdateNumbers Numbers(int parameter, double learningRate, double gradientScale) =>
        new(learningRate * parameters[parameter].RateFactor, parameters[parameter].WeightDecay, gradientScale, Steps);

    private void UpdateFused(List<int> which, double learningRate, double gradientScale)
    {
        FloatMemory[] values = [.. which.Select(i => FloatMemory.Of(parameters[i].Value))];
        FloatMemory[] slopes = [.. which.Select(i => gradients[i] is Tensor g ? FloatMemory.Of(g) : default)];
        FloatMemory[][] memories = [.. which.Select(i => states[i].Select(FloatMemory.Of).ToArray())];
        FlatPart[] parts = FlatPart.Of([.. values.Select(v => v.Count)]);
        FlatPart.ForEach(parts.Length, p =>
        {
            (int k, long offset, int length) = parts[p];
            ReadOnlySpan<float> g = slopes[k].Count == 0 ? new float[length] : slopes[k].Slice(offset, length);
            Span<float> first = memories[k].Length > 0 ? memories[k][0].Slice(offset, length) : [];
            Span<float> second = memories[k].Length > 1 ? memories[k][1].Slice(offset, length) : [];
            RuleOnSpans.Update(rule, Numbers(which[k], learningRate, gradientScale), values[k].Slice(offset, length), g, first, second);
        });
    }

    private void UpdateByTensors(int i, in UpdateNumbers numbers)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor value = parameters[i].Value;
        Tensor flat = value.detach().reshape(-1).to(ScalarType.Float32); // a view where it can be
        Tensor gradient = gradients[i] is Tensor g ? g.to(ScalarType.Float32).reshape(-1) : zeros_like(flat);
        rule.Update(numbers, flat, gradient, states[i]);
        if (value.dtype != ScalarType.Float32 || !value.is_contiguous())
            value.copy_(flat.reshape(value.shape));
    }

    private IEnumerable<(string Name, Tensor Value)> StateTensors()
    {
        for (int i = 0; i < parameters.Count; i++)
        {
            for (int s = 0; s < rule.StateNames.Count; s++)
                yield return ($"{parameters[i].Name}.{rule.StateNames[s]}", states[i][s]);
        }
    }
}
