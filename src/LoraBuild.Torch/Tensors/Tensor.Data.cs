// Reading a tensor's elements from C#.
using TorchSharp.Utils;
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        internal unsafe void* DataPointer()
        {
            Check(lb_data_ptr(handle, out nint pointer));
            return (void*)pointer;
        }

        /// <summary>The memory of a contiguous CPU tensor, valid while the tensor lives; up to 2 GB.</summary>
        /// <exception cref="InvalidOperationException">The tensor is on another device, not contiguous, or too large.</exception>
        public unsafe Span<byte> bytes
        {
            get
            {
                long length = NumberOfElements * ElementSize;
                if (device_type != DeviceType.CPU) throw new InvalidOperationException($"bytes: the tensor is on {device}; move it to the CPU first");
                if (!is_contiguous()) throw new InvalidOperationException("bytes: the tensor is not contiguous");
                if (length > int.MaxValue) throw new InvalidOperationException($"bytes: {length} bytes are more than a span can hold ({int.MaxValue})");
                return new Span<byte>(DataPointer(), (int)length);
            }

            set
            {
                Span<byte> target = bytes;
                if (value.Length != target.Length) throw new ArgumentException($"bytes: the tensor has {target.Length} bytes, the value {value.Length}", nameof(value));
                value.CopyTo(target);
            }
        }

        /// <summary>The elements, in row order.</summary>
        /// <exception cref="ArgumentException"><typeparamref name="T"/> is not the C# type of the tensor's dtype.</exception>
        /// <exception cref="InvalidOperationException">The tensor is not on the CPU.</exception>
        public TensorAccessor<T> data<T>()
            where T : unmanaged
        {
            if (device_type != DeviceType.CPU) throw new InvalidOperationException($"data: the tensor is on {device}; move it to the CPU first");
            RequireType<T>();
            return new TensorAccessor<T>(this);
        }

        /// <summary>The only element.</summary>
        public unsafe T item<T>()
            where T : unmanaged
        {
            if (NumberOfElements != 1) throw new ArgumentException($"item: the tensor has {NumberOfElements} elements; exactly one is needed");
            RequireType<T>();
            if (device_type != DeviceType.CPU)
            {
                using Tensor here = cpu();
                return *(T*)here.DataPointer();
            }

            T value = *(T*)DataPointer();
            GC.KeepAlive(this); // not finalized between the look at its address and the access
            return value;
        }

        public Scalar ToScalar() => dtype switch
        {
            ScalarType.Bool => IntegerItem() != 0,
            ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64 => RealItem(),
            _ => IntegerItem(),
        };

        internal double RealItem()
        {
            Check(lb_item_double(handle, out double result));
            return result;
        }

        internal long IntegerItem()
        {
            Check(lb_item_int64(handle, out long result));
            return result;
        }

        public bool is_nonzero() => RealItem() != 0;

        private void RequireType<T>()
            where T : unmanaged
        {
            ScalarType wanted = TypeOf<T>();
            if (wanted != dtype) throw new ArgumentException($"the tensor's elements are {dtype}, {typeof(T).Name} was asked for");
        }

        public static explicit operator float(Tensor value) => value.ToSingle();

        public static explicit operator double(Tensor value) => value.ToDouble();

        public static explicit operator int(Tensor value) => value.ToInt32();

        public static explicit operator long(Tensor value) => value.ToInt64();

        public static explicit operator bool(Tensor value) => value.ToBoolean();
    }

    internal static ScalarType TypeOf<T>()
        where T : unmanaged => default(T) switch
    {
        float => ScalarType.Float32,
        double => ScalarType.Float64,
        long => ScalarType.Int64,
        int => ScalarType.Int32,
        short => ScalarType.Int16,
        sbyte => ScalarType.Int8,
        byte => ScalarType.Byte,
        bool => ScalarType.Bool,
        Half => ScalarType.Float16,
        _ => throw new ArgumentException($"{typeof(T).Name} is no element type of tensors"),
    };
}

/// <summary>One-element tensors as C# numbers, converted from any dtype.</summary>
public static class TensorExtensionMethods
{
    public static float ToSingle(this torch.Tensor value) => (float)value.RealItem();

    public static double ToDouble(this torch.Tensor value) => value.RealItem();

    public static int ToInt32(this torch.Tensor value) => checked((int)value.IntegerItem());

    public static long ToInt64(this torch.Tensor value) => value.IntegerItem();

    public static short ToInt16(this torch.Tensor value) => checked((short)value.IntegerItem());

    public static byte ToByte(this torch.Tensor value) => checked((byte)value.IntegerItem());

    public static sbyte ToSByte(this torch.Tensor value) => checked((sbyte)value.IntegerItem());

    public static bool ToBoolean(this torch.Tensor value) => value.RealItem() != 0;

    public static Modules.Parameter AsParameter(this torch.Tensor tensor) => new(tensor);

    public static int ElementSize(this torch.ScalarType type) => type switch
    {
        torch.ScalarType.Byte or torch.ScalarType.Int8 or torch.ScalarType.Bool => 1,
        torch.ScalarType.Int16 or torch.ScalarType.Float16 or torch.ScalarType.BFloat16 => 2,
        torch.ScalarType.Int32 or torch.ScalarType.Float32 => 4,
        torch.ScalarType.Int64 or torch.ScalarType.Float64 or torch.ScalarType.ComplexFloat32 => 8,
        torch.ScalarType.ComplexFloat64 => 16,
        _ => throw new ArgumentException($"{type} is no element type"),
    };

    public static long TotalSize(this IEnumerable<long> shape) => shape.Aggregate(1L, (product, size) => product * size);
}
