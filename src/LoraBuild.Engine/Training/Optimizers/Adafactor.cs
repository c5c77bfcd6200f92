// Adafactor (Shazeer and Stern 2018) as transformers' Adafactor computes it with the settings of its Trainer: no relative step, no scaling by the parameter.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>
/// β₂ = 1 − t^−0.8; of a matrix only the row means R and column means C of g² + ε are remembered, v ≈ R Cᵀ / mean(R); of a vector v itself.
/// u = g / √v, scaled down to a root mean square of at most 1; p ← p·(1 − lr·wd) − lr·u.
/// </summary>
internal sealed class Adafactor : IOptimizer
{
    private const double Epsilon = 1e-30;
    private const double ClipThreshold = 1;
    private const double DecayRate = -0.8;

    private readonly IReadOnlyList<TrainedParameter> parameters;
    private readonly Tensor[][] states; // rows [out] and columns [in] of a matrix, else one [elements]
    private readonly CollectedGradients gradients;

    public Adafactor(IReadOnlyList<TrainedParameter> parameters)
    {
        this.parameters = parameters;
        gradients = new CollectedGradients(parameters);
        states = [.. parameters.Select(p => p.Value.dim() == 2 ? new[] { Zeros(p, 0), Zeros(p, 1) } : [Zeros(p, null)])];
    }

    public int Steps { get; private set; }

    public double CollectGradients() => gradients.Collect();

    public void Step(double learningRate, double gradientScale)
    {
        gradients.Require();
        using IDisposable noGrad = no_grad();
        Steps++;
        double beta2 = 1 - Math.Pow(Steps, DecayRate);
        for (int i = 0; i < parameters.Count; i++)
        {
            using DisposeScope scope = NewDisposeScope();
            TrainedParameter parameter = parameters[i];
            double rate = learningRate * parameter.RateFactor;
            Tensor update = Direction(i, beta2, gradientScale);
            double rootMeanSquare = update.norm().item<float>() / Math.Sqrt(update.NumberOfElements);
            update.mul_(rate / Math.Max(1, rootMeanSquare / ClipThreshold));
            Tensor wide = parameter.Value.detach().to(ScalarType.Float32); // the parameter itself where it is fp32
            if (parameter.WeightDecay != 0)
                wide.mul_(1 - (rate * parameter.WeightDecay));
            wide.sub_(update);
            if (parameter.Value.dtype != ScalarType.Float32)
                parameter.Value.copy_(wide);
        }

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

    public void Save(string path) =>
        TensorState.Write(path, StateTensors(), new Dictionary<string, string> { ["steps"] = TensorState.Text(Steps) });

    public void Load(string path) => Steps = TensorState.Number(TensorState.ReadInto(path, StateTensors())["steps"]);

    public void Dispose()
    {
        gradients.Dispose();
        foreach (Tensor state in states.SelectMany(s => s))
            state.Dispose();
    }

    /// <summary>g / √v with the state brought up to this step.</summary>
    private Tensor Direction(int i, double beta2, double gradientScale)
    {
        Tensor value = parameters[i].Value;
        Tensor gradient = gradients[i] is Tensor g ? g.to(ScalarType.Float32).mul(gradientScale) : zeros(value.shape, dtype: ScalarType.Float32, device: value.device);
        Tensor square = gradient.square().add_(Epsilon);
        if (states[i].Length == 1)
        {
            states[i][0].mul_(beta2).add_(square.reshape(-1), 1 - beta2);
            return states[i][0].rsqrt().reshape(value.shape).mul_(gradient);
        }

        (Tensor rows, Tensor columns) = (states[i][0], states[i][1]);
        rows.mul_(beta2).add_(square.mean([1]), 1 - beta2);
        columns.mul_(beta2).add_(square.mean([0]), 1 - beta2);
        Tensor rowFactor = rows.div(rows.mean()).rsqrt_().unsqueeze(1); // [out, 1]
        Tensor columnFactor = columns.rsqrt().unsqueeze(0); // [1, in]
        return rowFactor.mul(columnFactor).mul_(gradient);
    }

    private IEnumerable<(string Name, Tensor Value)> StateTensors()
    {
        for (int i = 0; i < parameters.Count; i++)
        {
            string[] names = states[i].Length == 1 ? ["exp_avg_sq"] : ["exp_avg_sq_row", "exp_avg_sq_col"];
            for (int s = 0; s < names.Length; s++)
                yield return ($"{parameters[i].Name}.{names[s]}", states[i][s]);
        }
    }

    private static Tensor Zeros(TrainedParameter parameter, int? axis) => zeros(
        [axis is int a ? parameter.Value.shape[a] : parameter.Value.NumberOfElements], dtype: ScalarType.Float32, device: parameter.Value.device).DetachFromDisposeScope();
}
