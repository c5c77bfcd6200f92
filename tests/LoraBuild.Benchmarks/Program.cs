// Measurements whose results stand in docs/benchmarks.md. `dotnet run --project tests/LoraBuild.Benchmarks -- train-step [--ragged] [--steps N] [--threads N]`, `-- optimizer [--threads N]`
using System.Globalization;
using LoraBuild.Benchmarks;

if (args is not ["train-step" or "optimizer", ..])
{
    Console.Error.WriteLine("usage: train-step [--ragged] [--steps N] [--threads N] | optimizer [--threads N]");
    return 2;
}

int steps = Number("--steps", 7);
int threads = Number("--threads", Environment.ProcessorCount);
if (args[0] == "optimizer")
    OptimizerBenchmark.Run(threads, Console.Out);
else
    TrainStepBenchmark.Run(args.Contains("--ragged"), steps, threads, Console.Out);
return 0;

int Number(string option, int otherwise)
{
    int place = Array.IndexOf(args, option);
    return place < 0 ? otherwise : int.Parse(args[place + 1], CultureInfo.InvariantCulture);
}
