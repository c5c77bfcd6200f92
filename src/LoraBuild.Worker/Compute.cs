// --threads, --device and --dtype made real. The first use of tensors in a verb goes through here.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Worker.Hosting;
using LoraBuild.Worker.Planning;
using TorchSharp;

namespace LoraBuild.Worker;

/// <param name="Dtype">Null: float32 (on a CPU).</param>
public sealed record Compute(torch.Device Device, torch.ScalarType? Dtype)
{
    /// <summary>Sets the number of threads for the process and says which device is used.</summary>
    /// <param name="recipeDtype">Counts where the command line says auto.</param>
    /// <param name="isComparison">Two models are compared, so that auto stands for float32 on every device and not for bfloat16 on CUDA.</param>
    /// <exception cref="DiagnosticException">LB0826: there is no such device.</exception>
    public static Compute Prepare(VerbContext context, string recipeDtype = "auto", bool isComparison = false) => Prepare(context, recipeDtype, isComparison, isUsed: true);

    /// <summary>The same of a device that need not be here: nothing will be computed on it.</summary>
    public static Compute Imagined(VerbContext context, string recipeDtype) => Prepare(context, recipeDtype, isComparison: false, isUsed: false);

    private static Compute Prepare(VerbContext context, string recipeDtype, bool isComparison, bool isUsed)
    {
        // Debian's libtorch starts with one thread.
        torch.set_num_threads(context.Value(SharedOptions.Threads) ?? Environment.ProcessorCount);
        WarnOfSlowArithmetic(context.Reporter);
        string dtype = context.Value(SharedOptions.Dtype)!;
        torch.Device device = DeviceOf(context.Value(SharedOptions.Device)!, isUsed);
        if (isUsed)
            WarnOfMissingKernels(device, context.Reporter);
        torch.ScalarType automatic = isComparison ? torch.ScalarType.Float32 : torch.ScalarType.BFloat16;
        return new Compute(device, DtypeOf(dtype == "auto" ? recipeDtype : dtype) ?? (device.type == DeviceType.CUDA ? automatic : null));
    }

    /// <summary>What a plan of memory asks, for this device and type.</summary>
    /// <param name="residentBytes">What this process holds before the first weight.</param>
    internal MemoryFacts Facts(ModelConfig config, string modelDirectory, TokenDocuments? train, TokenDocuments? evaluation, long residentBytes) =>
        new(config, modelDirectory, train, evaluation, Device.type == DeviceType.CUDA, Dtype is torch.ScalarType type ? TensorTypes.DtypeOf(type) : null, residentBytes);

    /// <summary>What training may have where it computes; null: nobody knows.</summary>
    internal MemoryLimit? Available(MachineMemory machine)
    {
        if (Device.type != DeviceType.CUDA)
            return machine.Available();
#if LIBTORCH_PROVIDER
        bool isHere = torch.cuda_is_available() && (Device.index < torch.cuda.device_count());
        if (isHere && LoraBuild.Torch.Kernels.DeviceMemory.FreeBytes(Device) is long free)
            return new MemoryLimit(free + TrainingMemory.CudaContextBytes, $"{Device} has so much left", IsNoticed: true);
#endif
        return null;
    }

    /// <summary>
    /// How a model is held that is not trained. On a CPU narrow weights stay as their file has them: the answers are those of widened ones, in half the memory.
    /// Without our products each new token of an answer would widen the whole model again.
    /// </summary>
    public LoadOptions LoadOptions => new() { Device = Device, Dtype = Dtype, HoldsStoredType = HasNarrowProducts && Device.type == DeviceType.CPU };

    private static bool HasNarrowProducts =>
#if LIBTORCH_PROVIDER
        true;
#else
        false;
#endif

    /// <summary>A model with, where it is named, an adapter.</summary>
    public (CausalLM Model, LoraAdapter? Adapter) Load(string modelDirectory, string? adapterDirectory)
    {
        CausalLM model = CausalLM.Load(modelDirectory, LoadOptions);
        try
        {
            return (model, adapterDirectory is null ? null : LoraAdapter.Load(model, adapterDirectory, isTrainable: false));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static torch.Device DeviceOf(string name, bool isUsed)
    {
        if (name == "cpu")
            return torch.CPU;
        bool hasCuda = torch.cuda_is_available();
        if (name == "auto")
            return hasCuda ? torch.device(DeviceType.CUDA, 0) : torch.CPU;
        int index = name.Contains(':', StringComparison.Ordinal) ? int.Parse(name[5..], CultureInfo.InvariantCulture) : 0;
        if (!isUsed)
            return torch.device(DeviceType.CUDA, index);
        if (!hasCuda)
            throw new DiagnosticException("LB0826", $"--device {name}: {WhyNoCuda()}. Use --device cpu, or mend that.");
        int count = torch.cuda.device_count();
        return index < count
            ? torch.device(DeviceType.CUDA, index)
            : throw new DiagnosticException("LB0826", $"--device {name}: this machine has {count} CUDA device{(count == 1 ? "" : "s")}, numbered from 0.");
    }

    private static string WhyNoCuda()
    {
#if LIBTORCH_PROVIDER
        return LoraBuild.Torch.Native.NativeRuntime.LibtorchHasCuda
            ? $"libtorch {LoraBuild.Torch.Native.NativeRuntime.LibtorchVersion} has CUDA but finds no device (nvidia-smi says whether the driver does)"
            : $"libtorch {LoraBuild.Torch.Native.NativeRuntime.LibtorchVersion} was built without CUDA (build against another one: LIBTORCH=DIR)";
#else
        return "libtorch finds no CUDA device";
#endif
    }

    private static torch.ScalarType? DtypeOf(string name) => name switch
    {
        "float32" => torch.ScalarType.Float32,
        "bfloat16" => torch.ScalarType.BFloat16,
        "float16" => torch.ScalarType.Float16,
        _ => null,
    };

    private static void WarnOfMissingKernels(torch.Device device, IReporter reporter)
    {
#if LIBTORCH_PROVIDER
        if (device.type == DeviceType.CUDA && !LoraBuild.Torch.Kernels.CudaKernels.AreBuilt)
            reporter.Report(Diagnostic.Warning("LB0854", "the native library was built without CUDA kernels, because nvcc was not found or belongs to another CUDA than libtorch; the device computes with libtorch's own operations, which takes longer and more memory. Install the CUDA toolkit of libtorch's version and build again."));
#endif
    }

    private static void WarnOfSlowArithmetic(IReporter reporter)
    {
#if LIBTORCH_PROVIDER
        // Our native half knows which BLAS it was given; the TorchSharp package brings its own.
        if (LoraBuild.Torch.Native.NativeRuntime.BlasWarningCode is { } code)
            reporter.Report(Diagnostic.Warning(code, LoraBuild.Torch.Native.NativeRuntime.BlasWarning));
#endif
    }
}
