// Tensors over the memory map of their file: nothing is read before it is used, and nothing copied.
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

/// <summary>One map a file and element type. A mapped tensor keeps its map alive after this object is gone.</summary>
internal sealed class MappedTensors : IDisposable
{
    private readonly Dictionary<(SafetensorsFile File, ScalarType Type), Tensor> maps = [];

    /// <summary>A tensor in its stored type; a copy where it lies at an address that its type cannot have.</summary>
    public Tensor Read(SafetensorsFile file, TensorEntry entry)
    {
        ScalarType type = TensorTypes.ScalarTypeOf(entry.Dtype);
        if (entry.FileOffset % entry.Dtype.ByteSize() != 0)
        {
            Tensor copy = empty(entry.Shape, dtype: type);
            copy.bytes = file.GetBytes(entry.Name).ToArray();
            return copy;
        }

        if (!maps.TryGetValue((file, type), out Tensor? map))
        {
            long elements = LinkedFile.Length(file.Path)!.Value / entry.Dtype.ByteSize();
            map = from_file(file.Path, shared: false, size: elements, dtype: type).DetachFromDisposeScope();
            maps.Add((file, type), map);
        }

        using Tensor flat = map.narrow(0, entry.FileOffset / entry.Dtype.ByteSize(), entry.ElementCount);
        return flat.view(entry.Shape);
    }

    public void Dispose()
    {
        foreach (Tensor map in maps.Values)
            map.Dispose();
    }
}
