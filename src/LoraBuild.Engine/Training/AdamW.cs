// AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW computes it, over a few flat buffers instead of hundreds of small tensors.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

/// <summary>
/// p ← p·(1 − lr·wd); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − lr·(m/(1 − β₁ᵗ)) / (√(v/(1 − β₂ᵗ)) + ε).
/// The state is fp32. A parameter without a gradient counts as one with gradient 0.
/// </summary>
public sealed class AdamW : IDisposable
{
    // Small tensors share a buffer up to this many elements; a larger one has its own, which costs no copy of its gradient.
    private const long BucketElements = 1 << 22;

    private readonly List<Bucket> buckets = [];
    private readonly double beta1;
    private readonly double beta2;
    private readonly double epsilon;
    private readonly double weightDecay;
    private List<Tensor>? gradients;

    /// <param name="parameters">In a fixed order; the name decides about weight decay (<see cref="WeightDecayRule"/>).</param>
    public AdamW(IReadOnlyList<(string Name, Tensor Value)> parameters, double beta1, double beta2, double epsilon, double weightDecay)
    {
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
        this.weightDecay = weightDecay;
        foreach (IGrouping<bool, (string Name, Tensor Value)> group in parameters.GroupBy(p => WeightDecayRule.Decays(p.Name)))
        {
            List<(string Name, Tensor Value)> current = [];
            long elements = 0;
            foreach ((string Name, Tensor Value) parameter in group)
            {
                if (current.Count > 0 && elements + parameter.Value.NumberOfElements > BucketElements)
                {
                    buckets.Add(new Bucket([.. current], group.Key));
                    current.Clear();
                    elements = 0;
                }

                current.Add(parameter);
                elements += parameter.Value.NumberOfElements;
            }

            buckets.Add(new Bucket([.. current], group.Key));
        }
    }

    /// <summary>Updates done; t of the formula.</summary>
    public int Steps { get; private set; }

    /// <summary>Takes the gradients that stand at the parameters; returns √(Σ g²) over all of them.</summary>
    public double CollectGradients()
    {
        using IDisposable noGrad = no_grad();
        ReleaseGradients();
        gradients = [.. buckets.Select(b => b.FlatGradient())];
        double sumOfSquares = 0;
        foreach (Tensor gradient in gradients)
        {
            using Tensor norm = gradient.norm();
            double value = norm.item<float>();
            sumOfSquares += value * value;
        }

        return Math.Sqrt(sumOfSquares);
    }

    /// <summary>One update with the collected gradients times <paramref name="gradientScale"/>; then the gradients are 0 again.</summary>
    public void Step(double learningRate, double gradientScale)
    {
        if (gradients is null)
            throw new InvalidOperationException($"{nameof(CollectGradients)} comes first");
        using IDisposable noGrad = no_grad();
        Steps++;
        double correction1 = 1 - Math.Pow(beta1, Steps);
        double correction2 = 1 - Math.Pow(beta2, Steps);
        for (int i = 0; i < buckets.Count; i++)
        {
            Bucket bucket = buckets[i];
            Tensor g = gradients[i];
            bucket.FirstMoment.mul_(beta1).add_(g, (1 - beta1) * gradientScale);
            bucket.SecondMoment.mul_(beta2).addcmul_(g, g, (1 - beta2) * gradientScale * gradientScale);
            using Tensor denominator = bucket.SecondMoment.sqrt();
            denominator.div_(Math.Sqrt(correction2)).add_(epsilon);
            using Tensor update = bucket.FirstMoment.div(denominator);
            bucket.Apply(update, decayFactor: bucket.Decays ? 1 - (learningRate * weightDecay) : 1, stepSize: learningRate / correction1);
        }

        ClearGradients();
    }

    /// <summary>Forgets gradients without an update.</summary>
    public void ClearGradients()
    {
        using IDisposable noGrad = no_grad();
        ReleaseGradients();
        foreach (Bucket bucket in buckets)
            bucket.ZeroGradients();
    }

    /// <summary>m and v of every parameter as <c>NAME.exp_avg</c> and <c>NAME.exp_avg_sq</c>.</summary>
    public void Save(string path)
    {
        using DisposeScope scope = NewDisposeScope();
        TensorState.Write(path, StateTensors(), new Dictionary<string, string> { ["steps"] = TensorState.Text(Steps) });
    }

    /// <summary>Exactly what <see cref="Save"/> wrote for the same parameters.</summary>
    public void Load(string path)
    {
        using DisposeScope scope = NewDisposeScope();
        IReadOnlyDictionary<string, string> metadata = TensorState.ReadInto(path, StateTensors());
        Steps = TensorState.Number(metadata["steps"]);
    }

    public void Dispose()
    {
        ReleaseGradients();
        foreach (Bucket bucket in buckets)
            bucket.Dispose();
    }

    private IEnumerable<(string Name, Tensor Value)> StateTensors() => buckets.SelectMany(b => b.StateTensors());

    private void ReleaseGradients()
    {
        foreach (Tensor gradient in gradients ?? [])
            gradient.Dispose();
        gradients = null;
    }

    private sealed class Bucket : IDisposable
    {
        private readonly (string Name, Tensor Value)[] parameters;

        public Bucket((string Name, Tensor Value)[] parameters, bool decays)
        {
            this.parameters = parameters;
            Decays = decays;
            long elements = parameters.Sum(p => p.Value.NumberOfElements);
            Device device = parameters[0].Value.device;
            FirstMoment = zeros([elements], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
            SecondMoment = zeros([elements], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope();
        }

        public bool Decays { get; }

        public Tensor FirstMoment { get; } // [elements]

        public Tensor SecondMoment { get; } // [elements]

        /// <returns>fp32 [elements]; the caller disposes it.</returns>
        public Tensor FlatGradient()
        {
            using DisposeScope scope = NewDisposeScope();
            Tensor[] flat = [.. parameters.Select(p => Gradient(p.Value))];
            Tensor all = flat.Length == 1 ? flat[0] : cat(flat, 0);
            return all.DetachFromDisposeScope();
        }

        public void Apply(Tensor update, double decayFactor, double stepSize)
        {
            long offset = 0;
            foreach ((_, Tensor value) in parameters)
            {
                using DisposeScope scope = NewDisposeScope();
                Tensor slice = update.narrow(0, offset, value.NumberOfElements).view(value.shape);
                if (decayFactor != 1)
                    value.mul_(decayFactor);
                value.add_(value.dtype == ScalarType.Float32 ? slice : slice.to(value.dtype), -stepSize);
                offset += value.NumberOfElements;
            }
        }

        public void ZeroGradients()
        {
            foreach ((_, Tensor value) in parameters)
            {
                using Tensor? gradient = value.grad;
                gradient?.zero_();
            }
        }

        public IEnumerable<(string Name, Tensor Value)> StateTensors()
        {
            long offset = 0;
            foreach ((string name, Tensor value) in parameters)
            {
                yield return ($"{name}.exp_avg", FirstMoment.narrow(0, offset, value.NumberOfElements));
                yield return ($"{name}.exp_avg_sq", SecondMoment.narrow(0, offset, value.NumberOfElements));
                offset += value.NumberOfElements;
            }
        }

        public void Dispose()
        {
            FirstMoment.Dispose();
            SecondMoment.Dispose();
        }

        private static Tensor Gradient(Tensor parameter)
        {
            Tensor? gradient = parameter.grad;
            return gradient is null
                ? zeros([parameter.NumberOfElements], dtype: ScalarType.Float32, device: parameter.device)
                : gradient.to(ScalarType.Float32).reshape(parameter.NumberOfElements);
        }
    }
}
