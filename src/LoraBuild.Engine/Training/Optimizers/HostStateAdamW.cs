// AdamW whose state lives in host memory of its own: in 8 bits a number, or beyond a budget in a file, or both.
using LoraBuild.Core.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training.Optimizers;

/// <summary>
/// One fused pass over all trained memory, with the same bits on any number of threads and whatever part of the state is paged.
/// Parameters that are not contiguous fp32 on the CPU are copied there for their update, one at a time.
/// </summary>
internal sealed class HostStateAdamW : IOptimizer
{
    private readonly AdamWRule rule;
    private readonly IReadOnlyList<TrainedParameter> parameters;
    private readonly AdamStateFormat[] formats; // of each parameter
    private readonly FlatPart[] parts; // piece i of the state is that of part i
    private readonly int[] firstParts; // of each parameter; one more: the end
    private readonly StateMemory state;
    private readonly CollectedGradients gradients;

    /// <param name="is8Bit">Parameters of at least 4096 elements keep 8-bit moments.</param>
    /// <param name="pagingPath">The file for state beyond <paramref name="residentBudget"/> bytes; null: no paging.</param>
    /// <exception cref="Core.Diagnostics.DiagnosticException">LB0640: the file cannot be made.</exception>
    public HostStateAdamW(AdamWRule rule, IReadOnlyList<TrainedParameter> parameters, bool is8Bit, string? pagingPath = null, long residentBudget = 0)
    {
        this.rule = rule;
        this.parameters = parameters;
        gradients = new CollectedGradients(parameters);
        formats = [.. parameters.Select(p => AdamStateFormat.Of(p.Value.NumberOfElements, is8Bit))];
        parts = FlatPart.Of([.. parameters.Select(p => p.Value.NumberOfElements)]);
        firstParts = new int[parameters.Count + 1];
        foreach (FlatPart part in parts)
            firstParts[part.Tensor + 1]++;
        for (int i = 0; i < parameters.Count; i++)
            firstParts[i + 1] += firstParts[i];
        state = new StateMemory([.. parts.Select(p => formats[p.Tensor].BytesOf(p.Length))], pagingPath, residentBudget);
    }

    public int Steps { get; private set; }

    /// <summary>Bytes of state in memory, and in the file.</summary>
    public (long Resident, long Paged) StateBytes => (state.ResidentBytes, state.PagedBytes);

    public double CollectGradients() => gradients.Collect();

    public void Step(double learningRate, double gradientScale)
    {
        gradients.Require();
        using IDisposable noGrad = no_grad();
        Steps++;
        for (int first = 0; first < parameters.Count;)
        {
            int end = first + 1;
            if (IsAtHand(first))
            {
                while (end < parameters.Count && IsAtHand(end))
                    end++;
                Update(first, [.. Enumerable.Range(first, end - first).Select(i => parameters[i].Value)], gradients.Between(first, end), learningRate, gradientScale);
            }
            else
            {
                UpdateCopy(first, learningRate, gradientScale);
            }

            first = end;
        }

        gradients.Clear();
    }

    public void ClearGradients() => gradients.Clear();

    public void Reset()
    {
        gradients.Clear();
        Steps = 0;
        state.Clear();
    }

    public void Save(string path) => SafetensorsWriter.Write(
        path,
        [.. Arrays().Select(a => new TensorToWrite(a.Name, a.Array.Dtype, [a.Array.CountOf(parameters[a.Parameter].Value.NumberOfElements)], stream => Visit(a.Parameter, a.Index, (bytes, _) => stream.Write(bytes))))],
        new Dictionary<string, string> { ["steps"] = TensorState.Text(Steps) });

    public void Load(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach ((string name, int parameter, int index, StateArray array) in Arrays())
        {
            long count = array.CountOf(parameters[parameter].Value.NumberOfElements);
            if (!file.Tensors.TryGetValue(name, out TensorEntry? entry) || entry.Dtype != array.Dtype || entry.ElementCount != count)
                throw new InvalidDataException($"{path}: {name} must be {array.Dtype} with {count} elements, but it is {(entry is null ? "absent" : $"{entry.Dtype} {entry.ShapeText}")}");
            Visit(parameter, index, (bytes, offset) => file.GetBytes(entry, offset, bytes.Length).CopyTo(bytes));
        }

        Steps = TensorState.Number(file.Metadata["steps"]);
    }

    public void Dispose()
    {
        gradients.Dispose();
        state.Dispose();
    }

    private bool IsAtHand(int i) => FloatMemory.IsPossible(parameters[i].Value) && (gradients[i] is null || FloatMemory.IsPossible(gradients[i]!));

    private void UpdateCopy(int i, double learningRate, double gradientScale)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor value = parameters[i].Value;
        Tensor copy = value.detach().to(ScalarType.Float32, CPU).contiguous();
        Tensor? gradient = gradients[i]?.to(ScalarType.Float32, CPU).contiguous();
        Update(i, [copy], [gradient], learningRate, gradientScale);
        value.copy_(copy);
    }

    /// <summary>Updates parameters from <paramref name="first"/> on, whose values and gradients these are.</summary>
    private void Update(int first, Tensor[] values, Tensor?[] slopes, double learningRate, double gradientScale)
    {
        FloatMemory[] p = [.. values.Select(FloatMemory.Of)];
        FloatMemory[] g = [.. slopes.Select(s => s is null ? default : FloatMemory.Of(s))];
        state.ForEach(firstParts[first], firstParts[first + values.Length], (piece, place) =>
        {
            (int parameter, long offset, int length) = parts[piece];
            int k = parameter - first;
            ReadOnlySpan<float> slope = g[k].Count == 0 ? new float[length] : g[k].Slice(offset, length);
            UpdateNumbers numbers = new(learningRate * parameters[parameter].RateFactor, parameters[parameter].WeightDecay, gradientScale, Steps);
            formats[parameter].Update(rule, numbers, place, p[k].Slice(offset, length), slope);
        });
    }

    private IEnumerable<(string Name, int Parameter, int Index, StateArray Array)> Arrays()
    {
        for (int i = 0; i < parameters.Count; i++)
        {
            for (int a = 0; a < formats[i].Arrays.Count; a++)
                yield return ($"{parameters[i].Name}.{formats[i].Arrays[a].Name}", i, a, formats[i].Arrays[a]);
        }
    }

    /// <summary>The bytes of one array, piece by piece in order.</summary>
    private void Visit(int parameter, int array, VisitBytes visit)
    {
        StateArray description = formats[parameter].Arrays[array];
        for (int piece = firstParts[parameter]; piece < firstParts[parameter + 1]; piece++)
        {
            FlatPart part = parts[piece];
            state.ForEach(piece, piece + 1, (_, place) => visit(formats[parameter].Slice(place, array, part.Length), description.BytesOf(part.Offset)));
        }
    }

    /// <param name="offset">Of the first of <paramref name="bytes"/> in the whole array.</param>
    private delegate void VisitBytes(Span<byte> bytes, long offset);
}
