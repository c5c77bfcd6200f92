// Measurements whose results stand in docs/benchmarks.md; each is started by the first argument.
using System.Globalization;
using LoraBuild.Benchmarks;

int threads = Number("--threads", Environment.ProcessorCount);
switch (args)
{
    case ["train-step", ..]:
        TrainStepBenchmark.Run(args.Contains("--ragged"), Number("--steps", 7), threads, Console.Out);
        return 0;
    case ["optimizer", ..]:
        OptimizerBenchmark.Run(threads, Console.Out);
        return 0;
    case ["tokenize", ..]:
        return TokenizeCommand.Run(Text("--tokenizers"), Text("--only"), Text("--write-texts"), args.Contains("--hostile"), Number("--bytes", 5_000_000), Number("--runs", 5), Console.Out, Console.Error);
    default:
        Console.Error.WriteLine("usage: train-step [--ragged] [--steps N] [--threads N]");
        Console.Error.WriteLine("       optimizer [--threads N]");
        Console.Error.WriteLine("       tokenize [--tokenizers DIR] [--only NAME,…] [--bytes N] [--runs N] [--hostile] [--write-texts DIR]");
        return 2;
}

string? Text(string option)
{
    int place = Array.IndexOf(args, option);
    return place < 0 ? null : args[place + 1];
}

int Number(string option, int otherwise) => Text(option) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
