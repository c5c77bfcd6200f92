// --threads, --device and --dtype made real. The first use of tensors in a verb goes through here.
using System.Globalization;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Worker.Hosting;
using TorchSharp;

namespace LoraBuild.Worker;

/// <param name="Dtype">Null: float32 on a CPU, the stored type elsewhere.</param>
public sealed record Compute(torch.Device Device, torch.ScalarType? Dtype)
{
    /// <summary>Sets the number of threads for the process and says which device is used.</summary>
    /// <param name="recipeDtype">Counts where the command line says auto.</param>
    /// <exception cref="DiagnosticException">LB0826: there is no such device.</exception>
    public static Compute Prepare(VerbContext context, string recipeDtype = "auto")
    {
        // Debian's libtorch starts with one thread.
        torch.set_num_threads(context.Value(SharedOptions.Threads) ?? Environment.ProcessorCount);
        WarnOfSlowArithmetic(context.Reporter);
        string dtype = context.Value(SharedOptions.Dtype)!;
        return new Compute(DeviceOf(context.Value(SharedOptions.Device)!), DtypeOf(dtype == "auto" ? recipeDtype : dtype));
    }

    /// <summary>A model with, where it is named, an adapter.</summary>
    public (CausalLM Model, LoraAdapter? Adapter) Load(string modelDirectory, string? adapterDirectory)
    {
        CausalLM model = CausalLM.Load(modelDirectory, new LoadOptions { Device = Device, Dtype = Dtype });
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

    private static torch.Device DeviceOf(string name)
    {
        bool hasCuda = torch.cuda_is_available();
        if (name == "auto")
            return hasCuda ? torch.CUDA : torch.CPU;
        if (name == "cpu")
            return torch.CPU;
        int index = name.Contains(':', StringComparison.Ordinal) ? int.Parse(name[5..], CultureInfo.InvariantCulture) : 0;
        return hasCuda
            ? torch.device(DeviceType.CUDA, index)
            : throw new DiagnosticException("LB0826", $"--device {name}: this libtorch finds no CUDA device. Use --device cpu, or point LIBTORCH at a libtorch with CUDA.");
    }

    private static torch.ScalarType? DtypeOf(string name) => name switch
    {
        "float32" => torch.ScalarType.Float32,
        "bfloat16" => torch.ScalarType.BFloat16,
        "float16" => torch.ScalarType.Float16,
        _ => null,
    };

    private static void WarnOfSlowArithmetic(IReporter reporter)
    {
#if LIBTORCH_PROVIDER
        // Our native half knows which BLAS it was given; the TorchSharp package brings its own.
        if (LoraBuild.Torch.Native.NativeRuntime.BlasWarningCode is { } code)
            reporter.Report(Diagnostic.Warning(code, LoraBuild.Torch.Native.NativeRuntime.BlasWarning));
#endif
    }
}
