// Tensors to and from a safetensors file bit by bit, for checkpoints.
using System.Globalization;
using LoraBuild.Core.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

internal static class TensorState
{
    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    public static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    /// <param name="tensors">Float32, float16 or bfloat16; views and other devices are copied one at a time.</param>
    public static void Write(string path, IEnumerable<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        SafetensorsWriter.Write(path, [.. tensors.Select(t => new TensorToWrite(t.Name, DtypeOf(t.Value), t.Value.shape, stream => CopyTo(t.Value, stream)))], metadata);

    /// <summary>Overwrites the values of <paramref name="tensors"/>; returns the file's metadata.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing or differs in type or size: the file is from another run.</exception>
    public static IReadOnlyDictionary<string, string> ReadInto(string path, IEnumerable<(string Name, Tensor Value)> tensors)
    {
        using IDisposable noGrad = no_grad();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach ((string name, Tensor target) in tensors)
        {
            if (!file.Tensors.TryGetValue(name, out TensorEntry? entry) || entry.Dtype != DtypeOf(target) || entry.ElementCount != target.NumberOfElements)
                throw new InvalidDataException($"{path}: {name} must be {DtypeOf(target)} with {target.NumberOfElements} elements, but it is {(entry is null ? "absent" : $"{entry.Dtype} {entry.ShapeText}")}");
            using Tensor values = empty(target.shape, dtype: target.dtype);
            file.GetBytes(name).CopyTo(values.bytes);
            target.copy_(values);
        }

        return file.Metadata;
    }

    private static void CopyTo(Tensor tensor, Stream stream)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        Tensor local = tensor.detach().cpu().contiguous();
        stream.Write(local.bytes);
    }

    private static TensorDtype DtypeOf(Tensor tensor) => tensor.dtype switch
    {
        ScalarType.Float32 => TensorDtype.F32,
        ScalarType.Float16 => TensorDtype.F16,
        ScalarType.BFloat16 => TensorDtype.BF16,
        ScalarType other => throw new ArgumentException($"a trained tensor of type {other}", nameof(tensor)),
    };
}
