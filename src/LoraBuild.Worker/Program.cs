// Entry point of `lorabuild`: the console, the environment and the signals of the process, and nothing else.
using LoraBuild.Worker;
using LoraBuild.Worker.Hosting;

using CancellationTokenSource cancellation = new();
using ProcessSignals signals = ProcessSignals.CancelOn(cancellation);
return CommandLine.Run(args, WorkerHost.OfProcess(), cancellation);
