// A GGUF file as a model that computes: what a quantised export answers, measured here and not guessed.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Engine.Export;
using LoraBuild.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Evaluation;

/// <summary>Reads a file's tensors back under Hugging Face's names: dequantised, the rows of q and k in their order, Gemma's norms without the one that llama.cpp's have.</summary>
public static class GgufModel
{
    /// <param name="modelDirectory">What the file was made from: its config.json says what model it is.</param>
    /// <param name="ggufFile">The file whose weights count.</param>
    /// <exception cref="DiagnosticException">LB0440, LB0441 a damaged file; LB0711 a file of another model.</exception>
    public static CausalLM Load(string modelDirectory, string ggufFile, LoadOptions options)
    {
        string directory = Path.GetFullPath(modelDirectory);
        ModelConfig config = ModelConfig.Load(directory);
        DecoderSpec spec = DecoderFamilies.Describe(config);
        GgufArchitecture architecture = GgufArchitecture.Of(config);
        using GgufFile file = GgufFile.Open(ggufFile);
        if (file.Value("general.architecture") as string != architecture.Name)
            throw Other(file, $"it says general.architecture = {file.Value("general.architecture") ?? "nothing"}");
        Dictionary<string, GgufTensor> tensors = file.Tensors.ToDictionary(t => t.Name);
        OrderedDictionary<string, Tensor> weights = [];
        try
        {
            foreach (ParameterShape parameter in ParameterLayout.All(spec))
                weights.Add(parameter.Name, Read(file, tensors, parameter, spec, config, architecture, options));
            return CausalLM.FromWeights(directory, config, spec, weights);
        }
        catch
        {
            foreach (Tensor weight in weights.Values)
                weight.Dispose();
            throw;
        }
    }

    private static Tensor Read(GgufFile file, Dictionary<string, GgufTensor> tensors, ParameterShape parameter, DecoderSpec spec, ModelConfig config, GgufArchitecture architecture, LoadOptions options)
    {
        string text = parameter.Name.StartsWith(spec.ModulePrefix + '.', StringComparison.Ordinal) ? "model" + parameter.Name[spec.ModulePrefix.Length..] : parameter.Name;
        string name = architecture.TensorName(text) ?? throw new InvalidOperationException($"{text} has no name in a {architecture.Name} file");
        if (!tensors.TryGetValue(name, out GgufTensor? tensor))
            throw Other(file, $"it lacks the tensor {name}");
        if (!tensor.Dimensions.Reverse().SequenceEqual(parameter.Shape))
            throw Other(file, $"its {name} is {TensorShapes.Text([.. tensor.Dimensions.Reverse()])}, the model's is {TensorShapes.Text(parameter.Shape)}");
        float[] values = Decoded(file, tensor);
        float offset = architecture.Offset(text);
        if (offset != 0)
        {
            for (int i = 0; i < values.Length; i++)
                values[i] -= offset;
        }

        if (architecture.PermutedHeads(text, config) is int heads)
            values = HalvesTogether(values, heads, (int)parameter.Shape[0]);
        using Tensor read = torch.tensor(values, [.. parameter.Shape]);
        Device device = options.Device ?? CPU;
        return TensorTypes.Converted(read, options.Dtype ?? ScalarType.Float32, device).DetachFromDisposeScope();
    }

    /// <summary>Rows at a time: a span of bytes ends at 2 GB, an embedding does not.</summary>
    private static float[] Decoded(GgufFile file, GgufTensor tensor)
    {
        if (!GgmlTypes.Encodable.Contains(tensor.Type))
            throw Other(file, $"its {tensor.Name} is {tensor.Type}, which is not read here");
        int columns = checked((int)tensor.Dimensions[0]);
        int rowBytes = checked((int)GgmlTypes.RowBytes(tensor.Type, columns));
        int chunk = Math.Max(1, (1 << 26) / rowBytes);
        float[] values = GC.AllocateUninitializedArray<float>(checked((int)tensor.ElementCount));
        int rows = values.Length / columns;
        for (int row = 0; row < rows; row += chunk)
        {
            int count = Math.Min(chunk, rows - row);
            GgmlBlocks.Decode(tensor.Type, file.GetBytes(tensor, (long)row * rowBytes, count * rowBytes), values.AsSpan(row * columns, count * columns));
        }

        return values;
    }

    /// <summary>llama.cpp rotates neighbouring rows, Hugging Face the first half of a head with the second: row 2i + j of a head becomes row j·d/2 + i.</summary>
    private static float[] HalvesTogether(float[] values, int heads, int rows)
    {
        int columns = values.Length / rows, headRows = rows / heads;
        float[] ordered = new float[values.Length];
        for (int row = 0; row < rows; row++)
        {
            (int head, int inHead) = Math.DivRem(row, headRows);
            (int pair, int half) = Math.DivRem(inHead, 2);
            int place = (head * headRows) + (half * headRows / 2) + pair;
            values.AsSpan(row * columns, columns).CopyTo(ordered.AsSpan(place * columns, columns));
        }

        return ordered;
    }

    private static DiagnosticException Other(GgufFile file, string what) => new("LB0711", $"the file is not of the model that it was made from: {what}", file.Path);
}
