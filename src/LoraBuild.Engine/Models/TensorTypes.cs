// Between the element types of files and of tensors, and bytes between both.
using System.Runtime.InteropServices;
using LoraBuild.Core.Formats;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Models;

public static class TensorTypes
{
    public static ScalarType ScalarTypeOf(TensorDtype dtype) => dtype switch
    {
        TensorDtype.F64 => ScalarType.Float64,
        TensorDtype.F32 => ScalarType.Float32,
        TensorDtype.F16 => ScalarType.Float16,
        TensorDtype.BF16 => ScalarType.BFloat16,
        TensorDtype.I64 => ScalarType.Int64,
        TensorDtype.I32 => ScalarType.Int32,
        TensorDtype.I8 => ScalarType.Int8,
        TensorDtype.U8 => ScalarType.Byte,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "no tensor of this type is computed with"),
    };

    public static TensorDtype DtypeOf(ScalarType type) => type switch
    {
        ScalarType.Float64 => TensorDtype.F64,
        ScalarType.Float32 => TensorDtype.F32,
        ScalarType.Float16 => TensorDtype.F16,
        ScalarType.BFloat16 => TensorDtype.BF16,
        ScalarType.Int64 => TensorDtype.I64,
        ScalarType.Int32 => TensorDtype.I32,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "no file holds tensors of this type"),
    };

    /// <summary>A new reference in another type or on another device; <c>to</c> gives the same object when nothing changes, which must not be disposed twice.</summary>
    public static Tensor Converted(Tensor tensor, ScalarType type, Device device)
    {
        Tensor result = tensor.to(type, device);
        return ReferenceEquals(result, tensor) ? tensor.alias() : result;
    }

    /// <summary>The values as an fp32 array in row-major order, whatever the type, device and layout.</summary>
    public static float[] ToFloat32Array(Tensor tensor)
    {
        using Tensor detached = tensor.detach();
        using Tensor wide = detached.to(ScalarType.Float32, CPU);
        using Tensor dense = wide.contiguous();
        return MemoryMarshal.Cast<byte, float>(dense.bytes).ToArray();
    }

    /// <summary>A tensor on its way into a file, read when its turn comes.</summary>
    /// <param name="dtype">Null: as it is held.</param>
    public static TensorToWrite ToWrite(string name, Tensor tensor, TensorDtype? dtype = null)
    {
        ScalarType type = dtype is TensorDtype given ? ScalarTypeOf(given) : tensor.dtype;
        return new TensorToWrite(name, DtypeOf(type), tensor.shape, stream =>
        {
            using Tensor detached = tensor.detach();
            // Rows at a time: a span of bytes ends at 2 GB, and a converted copy of a large embedding need not exist at once.
            long rows = detached.shape.Length == 0 ? 1 : detached.shape[0];
            long rowBytes = Math.Max(1, detached.NumberOfElements / Math.Max(1, rows) * 8);
            long step = Math.Max(1, (64 << 20) / rowBytes);
            for (long row = 0; row < rows; row += step)
            {
                using Tensor piece = detached.shape.Length == 0 ? detached.alias() : detached.narrow(0, row, Math.Min(step, rows - row));
                using Tensor converted = piece.to(type, CPU);
                using Tensor dense = converted.contiguous();
                stream.Write(dense.bytes);
            }
        });
    }
}
