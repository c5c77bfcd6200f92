// Runs programs and keeps what they say.
using System.Diagnostics;
using System.Text;

namespace LoraBuild.EndToEnd.Tests;

internal sealed record BuildResult(int ExitCode, string Output, TimeSpan Time);

internal static class Dotnet
{
    public static BuildResult Run(string directory, params string[] arguments) => Run(directory, new Dictionary<string, string>(), arguments);

    /// <param name="environment">Beyond what this process has.</param>
    public static BuildResult Run(string directory, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        Stopwatch watch = Stopwatch.StartNew();
        using Process process = Start(directory, "dotnet", arguments, out StringBuilder output, environment);
        if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"dotnet {string.Join(' ', arguments)} took more than five minutes:\n{output}");
        }

        process.WaitForExit();
        lock (output)
            return new BuildResult(process.ExitCode, output.ToString(), watch.Elapsed);
    }

    /// <param name="output">Standard output and error together, growing while the program runs; lock it to read.</param>
    public static Process Start(string directory, string program, IEnumerable<string> arguments, out StringBuilder output, IReadOnlyDictionary<string, string>? environment = null)
    {
        ProcessStartInfo start = new(program)
        {
            WorkingDirectory = directory,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);

        // A test host's own MSBuild settings are not those of a person's shell.
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase) && k != "MSBUILDDISABLENODEREUSE").ToList())
            start.Environment.Remove(name);
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        StringBuilder text = new();
        Process process = new() { StartInfo = start };
        process.OutputDataReceived += (_, e) => Append(e.Data);
        process.ErrorDataReceived += (_, e) => Append(e.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        output = text;
        return process;

        void Append(string? line)
        {
            if (line is null)
                return;
            lock (text)
                text.Append(line).Append('\n');
        }
    }
}
