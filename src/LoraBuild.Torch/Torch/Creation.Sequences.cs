// Sequences, mapped files, and tensors like others.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>start, start + step, … below stop; int64 when all three are integers.</summary>
    public static Tensor arange(Scalar start, Scalar stop, Scalar step, ScalarType? dtype = null, Device device = null, bool requires_grad = false)
    {
        bool isReal = start.Type == ScalarType.Float64 || stop.Type == ScalarType.Float64 || step.Type == ScalarType.Float64;
        int type = (int)(dtype ?? (isReal ? _defaultDtype : ScalarType.Int64));
        int status = lb_arange(start.Value, stop.Value, step.Value, type, DeviceCode(device), DeviceNumber(device), requires_grad ? 1 : 0, out nint r);
        return Wrap(status, r);
    }

    public static Tensor arange(Scalar start, Scalar stop, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
        arange(start, stop, 1, dtype, device, requires_grad);

    public static Tensor arange(Scalar stop, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
        arange(0, stop, 1, dtype, device, requires_grad);

    public static Tensor linspace(double start, double end, long steps, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
        Wrap(lb_linspace(start, end, steps, TypeCode(dtype), DeviceCode(device), DeviceNumber(device), requires_grad ? 1 : 0, out nint r), r);

    public static Tensor eye(long rows, long columns = -1, ScalarType? dtype = null, Device device = null, bool requires_grad = false, string[] names = null) =>
        Wrap(lb_eye(rows, columns < 0 ? rows : columns, TypeCode(dtype), DeviceCode(device), DeviceNumber(device), requires_grad ? 1 : 0, out nint r), r);

    /// <summary>A file's bytes as a one-dimensional tensor over the mapped file; nothing is read until it is used.</summary>
    /// <param name="filename">The file.</param>
    /// <param name="shared">Whether writes go to the file; otherwise written pages are copied and stay private.</param>
    /// <param name="size">The number of elements from the file's start.</param>
    public static Tensor from_file(
        string filename, bool? shared = null, long? size = 0, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
        Wrap(lb_from_file(filename, shared == true ? 1 : 0, size ?? 0, TypeCode(dtype), DeviceCode(device), DeviceNumber(device), requires_grad ? 1 : 0, out nint r), r);

    // What is not given is as in the other tensor.
    private static (int Type, int Device, int Number, int RequiresGrad) Like(Tensor input, ScalarType? dtype, Device device, bool requires_grad) =>
        ((int)(dtype ?? input.dtype), (int)(device?.type ?? input.device_type), device is null ? input.device_index : device.index, requires_grad ? 1 : 0);

    public static Tensor zeros_like(Tensor input, ScalarType? dtype = null, Device device = null, bool requires_grad = false, string[] names = null)
    {
        var o = Like(input, dtype, device, requires_grad);
        return Wrap(lb_zeros_like(input.handle, o.Type, o.Device, o.Number, o.RequiresGrad, out nint r), r);
    }

    public static Tensor empty_like(Tensor input, ScalarType? dtype = null, Device device = null, bool requires_grad = false, string[] names = null)
    {
        var o = Like(input, dtype, device, requires_grad);
        return Wrap(lb_empty_like(input.handle, o.Type, o.Device, o.Number, o.RequiresGrad, out nint r), r);
    }

    public static Tensor full_like(Tensor input, Scalar value, ScalarType? dtype = null, Device device = null, bool requires_grad = false, string[] names = null)
    {
        var o = Like(input, dtype, device, requires_grad);
        return Wrap(lb_full_like(input.handle, value.Value, o.Type, o.Device, o.Number, o.RequiresGrad, out nint r), r);
    }

    public static Tensor ones_like(Tensor input, ScalarType? dtype = null, Device device = null, bool requires_grad = false, string[] names = null) =>
        full_like(input, 1, dtype, device, requires_grad);

    public static Tensor rand_like(Tensor input, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
        rand(input.shape, dtype ?? input.dtype, device ?? input.device, requires_grad);

    public static Tensor randn_like(Tensor input, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
        randn(input.shape, dtype ?? input.dtype, device ?? input.device, requires_grad);

    public partial class Tensor
    {
        public Tensor zeros_like(ScalarType? dtype = null, Device device = null, bool requires_grad = false) => torch.zeros_like(this, dtype, device, requires_grad);

        public Tensor ones_like(ScalarType? dtype = null, Device device = null, bool requires_grad = false) => torch.ones_like(this, dtype, device, requires_grad);

        public Tensor empty_like(ScalarType? dtype = null, Device device = null, bool requires_grad = false) => torch.empty_like(this, dtype, device, requires_grad);

        public Tensor full_like(Scalar value, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
            torch.full_like(this, value, dtype, device, requires_grad);

        public Tensor rand_like(ScalarType? dtype = null, Device device = null, bool requires_grad = false) => torch.rand_like(this, dtype, device, requires_grad);

        public Tensor randn_like(ScalarType? dtype = null, Device device = null, bool requires_grad = false) => torch.randn_like(this, dtype, device, requires_grad);

        public Tensor new_zeros(long[] size, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
            torch.zeros(size, dtype ?? this.dtype, device ?? this.device, requires_grad);

        public Tensor new_empty(long[] size, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
            torch.empty(size, dtype ?? this.dtype, device ?? this.device, requires_grad);

        public Tensor new_full(long[] size, Scalar value, ScalarType? dtype = null, Device device = null, bool requires_grad = false) =>
            torch.full(size, value, dtype ?? this.dtype, device ?? this.device, requires_grad);
    }
}
