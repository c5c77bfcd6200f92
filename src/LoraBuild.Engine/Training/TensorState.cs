// Tensors to and from a safetensors file bit by bit, for checkpoints.
using System.Globalization;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Training;

internal static class TensorState
{
    // A span of bytes ends at 2 GB, and a large embedding with its moments is larger.
    private const long PieceElements = 1 << 24;

    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    public static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    /// <param name="tensors">Of a floating type; views and other devices are copied in pieces.</param>
    public static void Write(string path, IEnumerable<(string Name, Tensor Value)> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        SafetensorsWriter.Write(path, [.. tensors.Select(t => TensorTypes.ToWrite(t.Name, t.Value))], metadata);

    /// <summary>Overwrites the values of <paramref name="tensors"/>; returns the file's metadata.</summary>
    /// <param name="pieceElements">Elements copied at once.</param>
    /// <exception cref="InvalidDataException">A tensor is missing or differs in type or size: the file is from another run.</exception>
    public static IReadOnlyDictionary<string, string> ReadInto(string path, IEnumerable<(string Name, Tensor Value)> tensors, long pieceElements = PieceElements)
    {
        using IDisposable noGrad = no_grad();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach ((string name, Tensor target) in tensors)
        {
            TensorDtype dtype = TensorTypes.DtypeOf(target.dtype);
            long count = target.NumberOfElements;
            if (!file.Tensors.TryGetValue(name, out TensorEntry? entry) || entry.Dtype != dtype || entry.ElementCount != count)
                throw new InvalidDataException($"{path}: {name} must be {dtype} with {count} elements, but it is {(entry is null ? "absent" : $"{entry.Dtype} {entry.ShapeText}")}");
            using Tensor detached = target.detach();
            using Tensor flat = detached.view(-1); // trained tensors and moments are contiguous
            for (long start = 0; start < count; start += pieceElements)
            {
                using Tensor piece = flat.narrow(0, start, Math.Min(pieceElements, count - start));
                using Tensor values = empty(piece.shape, dtype: piece.dtype);
                Span<byte> bytes = values.bytes;
                file.GetBytes(entry, start * dtype.ByteSize(), bytes.Length).CopyTo(bytes);
                piece.copy_(values);
            }
        }

        return file.Metadata;
    }
}
