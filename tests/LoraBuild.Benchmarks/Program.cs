// Measurements whose results stand in docs/benchmarks.md; each is started by the first argument.
using System.Globalization;
using System.Text.Json;
using LoraBuild.Benchmarks;
using LoraBuild.Core.Formats;

// Shares of sgemm mean nothing where the BLAS is held back.
if (Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is { Length: > 0 } core)
    Console.Error.WriteLine($"OPENBLAS_CORETYPE={core} is set: OpenBLAS computes with that processor's kernels. Unset it for figures of this one.");
int threads = Number("--threads", Environment.ProcessorCount);
switch (args)
{
    case ["train-step", ..] when Text("--device") is { } place:
        return DeviceStepBenchmark.Run(
            new DeviceStepCase(
                Text("--shape") ?? "qwen2.5-0.5b", place, Text("--dtype") ?? "bfloat16", Text("--weights") ?? "plain", Number("--documents", 4), args.Contains("--ragged") ? 0 : Number("--length", 1024), Number("--steps", 20),
                Text("--buffer-mb") is null ? null : Number("--buffer-mb", 0)),
            args.Contains("--json"),
            Console.Out,
            Console.Error);
    case ["train-step", ..]:
        ModelShape shape = ModelShape.Named(Text("--shape") ?? ModelShape.SmolLM2.Name);
        TrainStepResult result = TrainStepBenchmark.Run(shape, args.Contains("--ragged"), Number("--steps", 7), threads, !args.Contains("--without-sgemm"), args.Contains("--wide"), Number("--dropout-percent", 0));
        if (args.Contains("--json"))
            Console.Out.WriteLine(JsonSerializer.Serialize(result, GoalsBenchmark.Json));
        else
            TrainStepBenchmark.Print(shape, args.Contains("--ragged"), threads, result, Console.Out);
        return 0;
    case ["goals", ..]:
        return GoalsBenchmark.Run(Number("--steps", 4), threads, Text("--directory") ?? Path.GetTempPath(), Console.Out);
    case ["load", ..]:
        LoadBenchmark.Run(Text("--directory")!, Console.Out);
        return 0;
    case ["write-model", ..]:
        LoadBenchmark.Write(ModelShape.Named(Text("--shape")!), Text("--directory")!);
        return 0;
    case ["optimizer", ..]:
        OptimizerBenchmark.Run(threads, Console.Out);
        return 0;
    case ["roofline", ..]:
        RooflineBenchmark.Run(ModelShape.Named(Text("--shape") ?? ModelShape.SmolLM2.Name), Number("--rounds", 25), threads, Console.Out);
        return 0;
    case ["kernels", ..]:
        KernelBenchmark.Run(Number("--rounds", 15), threads, Console.Out);
        return 0;
    case ["head", ..]:
        HeadBenchmark.Run(ModelShape.Named(Text("--shape") ?? ModelShape.SmolLM2.Name), Number("--tokens", 1020), Number("--rounds", 5), threads, Console.Out);
        return 0;
    case ["generate", ..]:
        GenerateBenchmark.Run(ModelShape.Named(Text("--shape") ?? ModelShape.SmolLM2.Name), args.Contains("--fp16") ? TensorDtype.F16 : TensorDtype.BF16, Number("--tokens", 32), Number("--rounds", 5), threads, Console.Out);
        return 0;
    case ["frozen-linear", ..]:
        FrozenLinearBenchmark.Run(Number("--tokens", 1024), Number("--rounds", 15), threads, Console.Out);
        return 0;
    case ["tokenize", ..]:
        return TokenizeCommand.Run(Text("--tokenizers"), Text("--only"), Text("--write-texts"), args.Contains("--hostile"), Number("--bytes", 5_000_000), Number("--runs", 5), Console.Out, Console.Error);
    case ["memory", ..]:
        return MemoryBenchmark.Run(Text("--only") ?? "", Text("--program") ?? Path.Combine(AppContext.BaseDirectory, "lorabuild"), Text("--directory") ?? Path.Combine(Path.GetTempPath(), "lorabuild-memory"), threads, Console.Out);
    case ["encode-gguf"]:
        ExportBenchmark.Encode(Console.Out);
        return 0;
    case ["export-gguf", ..]:
        ExportBenchmark.Run(Number("--megabytes", 1200), Text("--directory") ?? Path.GetTempPath(), Text("--types")?.Split(',') ?? ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k_m", "q4_k_m", "q5_k_m", "q6_k"], Number("--runs", 3), Console.Out);
        return 0;
    case ["merge", ..]:
        return MergeBenchmark.Run(Number("--megabytes", 2000), Text("--directory") ?? Path.GetTempPath(), Console.Out);
    default:
        Console.Error.WriteLine("usage: goals [--steps N] [--threads N] [--directory DIR]");
        Console.Error.WriteLine("       train-step [--shape NAME] [--ragged] [--steps N] [--threads N] [--without-sgemm] [--wide] [--dropout-percent N] [--json]");
        Console.Error.WriteLine("       train-step --device cuda|cpu [--shape qwen2.5-0.5b|qwen2.5-7b|llama-3.1-8b] [--dtype bfloat16|float32] [--weights plain|nf4|int8] [--documents N] [--ragged | --length N] [--steps N] [--buffer-mb N] [--json]");
        Console.Error.WriteLine("       roofline [--shape NAME] [--rounds N] [--threads N]");
        Console.Error.WriteLine("       optimizer [--threads N]");
        Console.Error.WriteLine("       kernels [--rounds N] [--threads N]");
        Console.Error.WriteLine("       head [--shape NAME] [--tokens N] [--rounds N] [--threads N]");
        Console.Error.WriteLine("       generate [--shape NAME] [--fp16] [--tokens N] [--rounds N] [--threads N]");
        Console.Error.WriteLine("       frozen-linear [--tokens N] [--rounds N] [--threads N]");
        Console.Error.WriteLine("       tokenize [--tokenizers DIR] [--only NAME,…] [--bytes N] [--runs N] [--hostile] [--write-texts DIR]");
        Console.Error.WriteLine("       memory [--only PATTERN] [--program LORABUILD] [--directory DIR] [--threads N]");
        Console.Error.WriteLine("       encode-gguf");
        Console.Error.WriteLine("       export-gguf [--megabytes N] [--directory DIR] [--types TYPE,…] [--runs N]");
        Console.Error.WriteLine("       merge [--megabytes N] [--directory DIR]");
        return 2;
}

string? Text(string option)
{
    int place = Array.IndexOf(args, option);
    return place < 0 ? null : args[place + 1];
}

int Number(string option, int otherwise) => Text(option) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
