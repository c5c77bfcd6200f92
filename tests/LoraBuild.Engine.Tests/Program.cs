// The tests as a program, for machines that have no SDK: one with a GPU, say. `dotnet test` does not come through here.
using System.Reflection;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace LoraBuild.Engine.Tests;

internal static class Program
{
    /// <summary>Runs the tests whose full names contain all arguments. The last line counts; the status is 1 where one failed or none ran.</summary>
    public static int Main(string[] args)
    {
        XunitTestFramework framework = new(new NullMessageSink());
        Assembly assembly = typeof(Program).Assembly;
        using ITestFrameworkDiscoverer discoverer = framework.GetDiscoverer(Reflector.Wrap(assembly));
        using Discovery found = new();
        discoverer.Find(includeSourceInformation: false, found, new NoOptions());
        found.Finished.WaitOne();
        using ITestFrameworkExecutor executor = framework.GetExecutor(assembly.GetName());
        using Report report = new();
        executor.RunTests(found.TestCases.Where(t => args.All(a => t.DisplayName.Contains(a, StringComparison.OrdinalIgnoreCase))), report, new NoOptions());
        report.Finished.WaitOne();
        Console.WriteLine($"{report.Passed} passed, {report.Failed} failed, {report.Skipped} skipped");
        return report.Failed > 0 || report.Passed == 0 ? 1 : 0;
    }

    private sealed class Discovery : LongLivedMarshalByRefObject, IMessageSink, IDisposable
    {
        public ManualResetEvent Finished { get; } = new(false);

        public List<ITestCase> TestCases { get; } = [];

        public bool OnMessage(IMessageSinkMessage message)
        {
            if (message is ITestCaseDiscoveryMessage { TestCase: { } found })
                TestCases.Add(found);
            else if (message is IDiscoveryCompleteMessage)
                Finished.Set();
            return true;
        }

        public void Dispose() => Finished.Dispose();
    }

    private sealed class Report : LongLivedMarshalByRefObject, IMessageSink, IDisposable
    {
        public ManualResetEvent Finished { get; } = new(false);

        public int Passed { get; private set; }

        public int Failed { get; private set; }

        public int Skipped { get; private set; }

        public bool OnMessage(IMessageSinkMessage message)
        {
            switch (message)
            {
                case ITestPassed passed:
                    Passed++;
                    Console.WriteLine($"passed  {passed.ExecutionTime,7:F2} s  {passed.Test.DisplayName}");
                    break;
                case ITestFailed failed:
                    Failed++;
                    Console.WriteLine($"FAILED  {failed.Test.DisplayName}");
                    Console.WriteLine($"    {string.Join("\n    ", failed.Messages.Concat(failed.StackTraces.OfType<string>()).SelectMany(m => m.Split('\n')).Take(30))}");
                    break;
                case ITestSkipped skipped:
                    Skipped++;
                    Console.WriteLine($"skipped {skipped.Test.DisplayName}: {skipped.Reason}");
                    break;
                case IErrorMessage error: // of a fixture or a clean-up
                    Failed++;
                    Console.WriteLine($"FAILED  {string.Join("\n    ", error.Messages.Concat(error.StackTraces))}");
                    break;
                case ITestAssemblyFinished:
                    Finished.Set();
                    break;
            }

            return true;
        }

        public void Dispose() => Finished.Dispose();
    }

    private sealed class NoOptions : LongLivedMarshalByRefObject, ITestFrameworkDiscoveryOptions, ITestFrameworkExecutionOptions
    {
        public TValue? GetValue<TValue>(string name) => default;

        public void SetValue<TValue>(string name, TValue value)
        {
        }
    }
}
