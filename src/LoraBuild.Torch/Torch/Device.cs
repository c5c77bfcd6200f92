// Where a tensor lives.
using System.Globalization;
using LoraBuild.Torch.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>A kind of device and, except for the CPU, its number; -1 stands for the current one.</summary>
    public class Device
    {
        public DeviceType type { get; }

        public int index { get; }

        /// <param name="description">"cpu", "cuda", "cuda:1".</param>
        /// <exception cref="ArgumentException">Not such a description.</exception>
        public Device(string description)
        {
            ArgumentNullException.ThrowIfNull(description);
            string[] parts = description.Split(':');
            int number = -1;
            if (parts.Length > 2 || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out number)))
                throw new ArgumentException($"'{description}' is no device; \"cpu\", \"cuda\" or \"cuda:0\" are", nameof(description));
            type = Parse(parts[0]);
            index = number;
        }

        public Device(string deviceType, int index = -1)
        {
            type = Parse(deviceType);
            this.index = index;
        }

        public Device(DeviceType deviceType, int index = -1)
        {
            type = deviceType;
            this.index = index;
        }

        /// <summary>A CUDA device by its number.</summary>
        public Device(int index)
        {
            type = DeviceType.CUDA;
            this.index = index;
        }

        public static implicit operator Device(string description) => new(description);

        public override string ToString() =>
            type.ToString().ToLowerInvariant() + (index < 0 ? string.Empty : ":" + index.ToString(CultureInfo.InvariantCulture));

        private static DeviceType Parse(string name) =>
            Enum.TryParse(name, ignoreCase: true, out DeviceType type) && !char.IsDigit(name[0])
                ? type
                : throw new ArgumentException($"'{name}' is no kind of device; \"cpu\" and \"cuda\" are", nameof(name));
    }

    public static readonly Device CPU = new(DeviceType.CPU);

    public static readonly Device META = new(DeviceType.META);

    public static Device CUDA { get; } = new(DeviceType.CUDA);

    public static Device device(string description) => new(description);

    public static Device device(string deviceType, int index = -1) => new(deviceType, index);

    public static Device device(DeviceType deviceType, int index = -1) => new(deviceType, index);

    public static Device device(int index) => new(index);

    /// <exception cref="InvalidOperationException">This libtorch has no such device here.</exception>
    public static void InitializeDeviceType(DeviceType deviceType)
    {
        if (!TryInitializeDeviceType(deviceType)) throw new InvalidOperationException($"device type {deviceType} is not available on this machine");
    }

    public static bool TryInitializeDeviceType(DeviceType deviceType) =>
        deviceType == DeviceType.CPU || (deviceType == DeviceType.CUDA && cuda.is_available());

    public static Device InitializeDevice(Device device)
    {
        Device chosen = device ?? CPU;
        InitializeDeviceType(chosen.type);
        return chosen;
    }

    public static bool cuda_is_available() => cuda.is_available();

    public static class cuda
    {
        public static bool is_available()
        {
            NativeCall.Check(NativeMethods.lb_cuda_is_available(out int result));
            return result != 0;
        }

        public static int device_count()
        {
            NativeCall.Check(NativeMethods.lb_cuda_device_count(out int result));
            return result;
        }

        public static void synchronize(Device device = null) => NativeCall.Check(NativeMethods.lb_cuda_synchronize(device?.index ?? -1));
    }
}
