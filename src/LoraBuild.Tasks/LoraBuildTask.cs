// The base of the tasks: hands a request to the worker and brings its events into the build log. No stage is known here.
using System.Globalization;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace LoraBuild.Tasks;

/// <summary>Runs one verb of the worker as a process of its own.</summary>
/// <remarks>
/// Not a <see cref="ToolTask"/>: that class closes the tool's standard input as soon as the tool runs and kills the process
/// tree on cancellation. Here standard input stays open for as long as the build wants the work; its end, by
/// <see cref="Cancel"/> or by the death of MSBuild, tells the worker to checkpoint and leave.
/// </remarks>
public abstract class LoraBuildTask : Microsoft.Build.Utilities.Task, ICancelableTask
{
    private const string Subcategory = "LoraBuild";
    private const int ExitCancelled = 130;

    private readonly Lock gate = new();
    private WorkerProcess? running;
    private bool isCancelled;
    private bool hasErrorFromWorker;
    private bool hasPromotedWarning;

    /// <summary>The program <c>lorabuild</c>, or lorabuild.dll, which is then run by <see cref="DotnetHost"/>.</summary>
    [Required]
    public string Worker { get; set; } = "";

    /// <summary>The program <c>dotnet</c>; its directory is also where a worker program looks for its runtime.</summary>
    public string? DotnetHost { get; set; }

    [Required]
    public string Recipe { get; set; } = "";

    /// <summary>The pipeline's directory, the worker's <c>--output</c>.</summary>
    [Required]
    public string OutputDirectory { get; set; } = "";

    /// <summary>
    /// Relative paths of the project and of its recipe overrides start here. The project says it itself: MSBuild tells a task only the file
    /// that its element stands in, which is Sdk.targets.
    /// </summary>
    public string? ProjectDirectory { get; set; }

    /// <summary>Overrides the recipe's <c>base.model</c>: a directory or a hub id.</summary>
    public string? BaseModel { get; set; }

    /// <summary><c>key=value</c> for any key of the recipe; these win over <see cref="BaseModel"/>.</summary>
    public string[] RecipeOverrides { get; set; } = [];

    /// <summary>Threads of the worker; empty: all cores.</summary>
    public string? Threads { get; set; }

    /// <summary>cpu, cuda, cuda:N or auto; empty: auto.</summary>
    public string? Device { get; set; }

    /// <summary>
    /// Whether every warning is an error, and which warnings are, are not, and are not told: the project's own properties. The worker has to know,
    /// because it says whether a stage is finished: MSBuild would promote its warnings when the stage is already recorded as up to date.
    /// </summary>
    public string? TreatWarningsAsErrors { get; set; }

    public string? WarningsAsErrors { get; set; }

    public string? WarningsNotAsErrors { get; set; }

    public string? NoWarn { get; set; }

    /// <summary>Seconds between two progress lines of the build log.</summary>
    public int ProgressInterval { get; set; } = 5;

    /// <summary>Seconds that a cancelled worker has for its checkpoint before it is killed.</summary>
    public int CancelGrace { get; set; } = 60;

    /// <summary>True when the task has run: tells a target that ran from one that was skipped.</summary>
    [Output]
    public bool HasRun { get; private set; }

    /// <summary>The worker's verb.</summary>
    protected abstract string Verb { get; }

    /// <summary>Options of the verb beyond those that every stage has.</summary>
    protected virtual void AddOptions(WorkerRequest request)
    {
    }

    public override bool Execute()
    {
        HasRun = true;
        if (!int.TryParse(string.IsNullOrEmpty(Threads) ? "1" : Threads, CultureInfo.InvariantCulture, out int threads) || threads < 1)
        {
            LogFailure("LB0913", $"Threads must be a whole number ≥ 1, got '{Threads}'. Leave it empty for all cores.");
            return false;
        }

        string worker = Absolute(Worker);
        if (!File.Exists(worker))
        {
            LogFailure("LB0914", $"The worker {worker} does not exist. Build it with: dotnet build src/LoraBuild.Worker");
            return false;
        }

        string requestFile = Path.Combine(Absolute(OutputDirectory), "obj", $"{Verb}.request.json");
        try
        {
            CreateRequest().Write(requestFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogFailure("LB0916", $"The pipeline's directory {Absolute(OutputDirectory)} cannot be written: {e.Message} Name another with -p:OutputDirectory=DIR, or make room and allow writing there.");
            return false;
        }

        return Run(worker, requestFile);
    }

    /// <summary>Ends the worker's standard input; the worker checkpoints and leaves, and is killed when that takes longer than <see cref="CancelGrace"/>.</summary>
    public void Cancel()
    {
        lock (gate)
        {
            isCancelled = true;
            running?.RequestStop(TimeSpan.FromSeconds(CancelGrace));
        }
    }

    internal WorkerRequest CreateRequest()
    {
        WorkerRequest request = new(Verb);
        request.Add("recipe", Absolute(Recipe));
        request.Add("output", Absolute(OutputDirectory));
        if (!string.IsNullOrWhiteSpace(BaseModel))
            request.Add("set", "base.model=" + BaseModel.Trim());

        // Split again: on a command line the separator must be written %3B, which MSBuild does not split at.
        foreach (string pair in RecipeOverrides.SelectMany(text => text.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)))
            request.Add("set", pair);
        if (!string.IsNullOrEmpty(Threads))
            request.Add("threads", Threads);
        if (!string.IsNullOrEmpty(Device))
            request.Add("device", Device);
        AddWarnings(request);
        AddOptions(request);
        return request;
    }

    private void AddWarnings(WorkerRequest request)
    {
        AddCodes("warn-as-error", WarningsAsErrors);
        if (string.Equals(TreatWarningsAsErrors?.Trim(), "true", StringComparison.OrdinalIgnoreCase))
            request.Add("warnings-as-errors", "true");
        AddCodes("warn-not-as-error", WarningsNotAsErrors);
        AddCodes("no-warn", NoWarn);

        void AddCodes(string option, string? codes)
        {
            if (codes?.Trim([';', ',', ' ', '\t', '\r', '\n']) is { Length: > 0 } some)
                request.Add(option, some);
        }
    }

    internal void Handle(WorkerEvent workerEvent, ProgressThrottle throttle)
    {
        switch (workerEvent.Kind)
        {
            case WorkerEventKind.Diagnostic:
                LogDiagnostic(workerEvent);
                break;
            case WorkerEventKind.Progress:
                if (throttle.Take(workerEvent.Text) is { } line)
                    Log.LogMessage(MessageImportance.High, "{0}", line);
                break;
            case WorkerEventKind.Message:
                // What was held back came before it.
                LogLast(throttle);
                Log.LogMessage(MessageImportance.High, "{0}", workerEvent.Text);
                break;
            default:
                // Kept for the detailed log; never read for "error" words, it may be training data.
                Log.LogMessage(MessageImportance.Low, "{0}", workerEvent.Text);
                break;
        }
    }

    private void LogLast(ProgressThrottle throttle)
    {
        if (throttle.TakeLast() is { } last)
            Log.LogMessage(MessageImportance.High, "{0}", last);
    }

    private bool Run(string worker, string requestFile)
    {
        WorkerProcess process;
        lock (gate)
        {
            if (isCancelled)
                return false;
            process = WorkerProcess.Start(worker, string.IsNullOrEmpty(DotnetHost) ? "dotnet" : DotnetHost, requestFile, StartDirectory);
            running = process;
        }

        using (process)
        {
            ProgressThrottle throttle = new(TimeSpan.FromSeconds(ProgressInterval));
            while (process.ReadLine() is { } line)
                Handle(WorkerEvent.Parse(line), throttle);
            LogLast(throttle);
            int exitCode = process.WaitForExit();
            lock (gate)
                running = null;
            return Conclude(exitCode, process.ErrorLines);
        }
    }

    private bool Conclude(int exitCode, IReadOnlyList<string> errorLines)
    {
        foreach (string line in errorLines)
            Log.LogMessage(MessageImportance.Normal, "{0}", line);
        if (exitCode == 0 && !hasErrorFromWorker)
            return !hasPromotedWarning || Forget();
        if (isCancelled || exitCode == ExitCancelled)
            LogFailure("LB0912", $"'{Verb}' was cancelled. The next build goes on from the last checkpoint.");
        else if (!hasErrorFromWorker)
            LogFailure("LB0911", $"The worker ended with exit code {exitCode} in '{Verb}' and did not say why. {LastWords(errorLines)}The next build repeats this stage.");
        return false;
    }

    /// <summary>
    /// A warning that only MSBuild makes an error (<c>-warnaserror</c> on its command line is no property) has failed the build when the worker has
    /// already recorded the stage as done. Without the record the next build does it again, and fails again.
    /// </summary>
    private bool Forget()
    {
        File.Delete(Path.Combine(Absolute(OutputDirectory), "stages", Verb + ".json"));
        return false;
    }

    private static string LastWords(IReadOnlyList<string> errorLines) =>
        errorLines.Count == 0 ? "It may have been killed. " : $"Its last words: {string.Join(" | ", errorLines.TakeLast(5))}. ";

    private void LogDiagnostic(WorkerEvent d)
    {
        switch (d.Severity)
        {
            case "error":
                hasErrorFromWorker = true;
                Log.LogError(Subcategory, d.Code, d.Code, d.File ?? Absolute(Recipe), d.Line, d.Column, 0, 0, "{0}", d.Text);
                break;
            case "warning":
                hasPromotedWarning |= d.Code is not null && BuildEngine is IBuildEngine8 engine && engine.ShouldTreatWarningAsError(d.Code);
                Log.LogWarning(Subcategory, d.Code, d.Code, d.File ?? Absolute(Recipe), d.Line, d.Column, 0, 0, "{0}", d.Text);
                break;
            default:
                Log.LogMessage(Subcategory, d.Code, d.Code, d.File, d.Line, d.Column, 0, 0, MessageImportance.High, "{0}", d.Text);
                break;
        }
    }

    private void LogFailure(string code, string text) =>
        Log.LogError(Subcategory, code, code, BuildEngine.ProjectFileOfTaskNode, BuildEngine.LineNumberOfTaskNode, BuildEngine.ColumnNumberOfTaskNode, 0, 0, "{0}", text);

    /// <summary>Where the worker is started.</summary>
    private string StartDirectory => string.IsNullOrEmpty(ProjectDirectory) ? Path.GetDirectoryName(BuildEngine.ProjectFileOfTaskNode)! : ProjectDirectory;

    private string Absolute(string path) => Path.GetFullPath(path, StartDirectory);
}
