// A tensor: its life, its properties, and its copies to other types and devices.
using System.Globalization;
using System.Runtime.InteropServices;
using LoraBuild.Torch.Native;
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>A reference to a libtorch tensor. It belongs to the dispose scope in which it was made.</summary>
    /// <remarks>Operations that libtorch refuses throw <see cref="ExternalException"/> with the first line of libtorch's message.</remarks>
    public partial class Tensor : IDisposable
    {
        internal TensorHandle handle;
        internal DisposeScope OwningScope;

        internal Tensor(nint value)
        {
            handle = new TensorHandle(value);
            DisposeScopeManager.Current.Innermost?.Attach(this);
        }

        public static Tensor UnsafeCreateTensor(IntPtr handle) => new(handle);

        /// <exception cref="ObjectDisposedException">The tensor was disposed.</exception>
        public IntPtr Handle
        {
            get
            {
                ObjectDisposedException.ThrowIf(handle.IsClosed, this);
                return handle.DangerousGetHandle();
            }
        }

        /// <summary>Hands the native reference to the caller; this object is invalid afterwards.</summary>
        public IntPtr DecoupleFromNativeHandle()
        {
            IntPtr value = Handle;
            OwningScope?.Remove(this);
            OwningScope = null;
            handle.SetHandleAsInvalid();
            return value;
        }

        public bool IsInvalid => handle.IsClosed || handle.IsInvalid;

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (!disposing) return;
            OwningScope?.Remove(this);
            OwningScope = null;
            handle.Dispose();
        }

        public Tensor MoveToOuterDisposeScope()
        {
            OwningScope?.MoveToOuter(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(DisposeScope other)
        {
            if (other is null) return DetachFromDisposeScope();
            other.Attach(this);
            return this;
        }

        public Tensor MoveToOtherDisposeScope(Tensor other) => MoveToOtherDisposeScope(other.OwningScope);

        public Tensor DetachFromDisposeScope()
        {
            OwningScope?.Detach(this);
            return this;
        }

        /// <summary>The number of tensor references that the process holds.</summary>
        public static long TotalCount => lb_live_tensors();

        // In-place operations return the tensor they changed.
        private Tensor Self(int status)
        {
            Check(status);
            return this;
        }

        internal static TensorHandle HandleOf(Tensor tensor) => tensor is null ? TensorHandle.None : tensor.handle;

        public long Dimensions => lb_ndim(handle);

        public long ndim => lb_ndim(handle);

        public long dim() => lb_ndim(handle);

        public long NumberOfElements => lb_numel(handle);

        public long numel() => lb_numel(handle);

        public long ElementSize => lb_element_size(handle);

        public long element_size() => lb_element_size(handle);

        public long storage_offset() => lb_storage_offset(handle);

        public ScalarType dtype => (ScalarType)lb_dtype(handle);

        public DeviceType device_type => (DeviceType)lb_device_type(handle);

        public int device_index => lb_device_index(handle);

        public Device device => device_type == DeviceType.CPU ? CPU : new Device(device_type, device_index);

        public bool is_cuda => device_type == DeviceType.CUDA;

        public bool is_meta => device_type == DeviceType.META;

        public bool is_cpu() => device_type == DeviceType.CPU;

        public bool is_leaf => lb_is_leaf(handle) != 0;

        public bool is_contiguous() => lb_is_contiguous(handle) != 0;

        public bool is_floating_point() => torch.is_floating_point(dtype);

        public bool is_integral() => torch.is_integral(dtype);

        public long[] shape
        {
            get
            {
                Span<long> sizes = stackalloc long[8];
                long count = lb_sizes(handle, sizes, sizes.Length);
                if (count <= sizes.Length) return sizes[..(int)count].ToArray();
                var all = new long[count];
                lb_sizes(handle, all, count);
                return all;
            }
        }

        public long[] size() => shape;

        /// <param name="dim">Negative numbers count from the last dimension.</param>
        /// <exception cref="ArgumentOutOfRangeException">There is no such dimension.</exception>
        public long size(int dim) => At(shape, dim);

        public long[] stride()
        {
            var strides = new long[ndim];
            lb_strides(handle, strides, strides.Length);
            return strides;
        }

        public long stride(int dim) => At(stride(), dim);

        private static long At(long[] values, int dim)
        {
            int place = dim < 0 ? dim + values.Length : dim;
            return place >= 0 && place < values.Length
                ? values[place]
                : throw new ArgumentOutOfRangeException(nameof(dim), dim, $"the tensor has {values.Length} dimensions");
        }

        public bool requires_grad
        {
            get => lb_requires_grad(handle) != 0;
            set => Check(lb_set_requires_grad(handle, value ? 1 : 0));
        }

        public Tensor requires_grad_(bool requires_grad = true) => Self(lb_set_requires_grad(handle, requires_grad ? 1 : 0));

        public Tensor with_requires_grad(bool requires_grad = true) => requires_grad_(requires_grad);

        /// <summary>The accumulated gradient or null; a fresh reference at each read.</summary>
        public Tensor grad
        {
            get => Wrap(lb_grad(handle, out nint result), result);
            set => Check(lb_set_grad(handle, HandleOf(value)));
        }

        public void retain_grad() => Check(lb_retain_grad(handle));

        public Tensor detach() => Wrap(lb_detach(handle, out nint r), r);

        public Tensor detach_() => Self(lb_detach_(handle));

        public Tensor alias() => Wrap(lb_alias(handle, out nint r), r);

        public Tensor clone() => Wrap(lb_clone(handle, out nint r), r);

        public Tensor contiguous() => Wrap(lb_contiguous(handle, out nint r), r);

        public Tensor pin_memory() => Wrap(lb_pin_memory(handle, out nint r), r);

        public Tensor copy_(Tensor source, bool nonBlocking = false) => Self(lb_copy_(handle, source.handle, nonBlocking ? 1 : 0));

        public Tensor set_(Tensor source) => Self(lb_set_(handle, source.handle));

        public override bool Equals(object obj) => obj is Tensor other && Equals(other);

        /// <summary>The same shape and the same elements.</summary>
        public bool Equals(Tensor target)
        {
            if (ReferenceEquals(this, target)) return true;
            if (target is null) return false;
            Check(lb_equal(handle, target.handle, out int result));
            return result != 0;
        }

        // The identity of the reference: two references to one tensor are different objects, as everywhere in .NET.
        public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

        public override string ToString()
        {
            if (IsInvalid) return "(disposed tensor)";
            string sizes = string.Join(", ", shape.Select(size => size.ToString(CultureInfo.InvariantCulture)));
            return $"[{sizes}], type = {dtype}, device = {device}";
        }
    }
}
