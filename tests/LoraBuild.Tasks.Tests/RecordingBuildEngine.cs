// A build that only remembers what a task logs.
using System.Collections;
using Microsoft.Build.Framework;

namespace LoraBuild.Tasks.Tests;

internal sealed class RecordingBuildEngine(string projectFile) : IBuildEngine8
{
    private readonly List<BuildErrorEventArgs> errors = [];
    private readonly List<BuildWarningEventArgs> warnings = [];
    private readonly List<BuildMessageEventArgs> messages = [];

    public IReadOnlyList<BuildErrorEventArgs> Errors => errors;

    public IReadOnlyList<BuildWarningEventArgs> Warnings => warnings;

    public IEnumerable<string> Shown => messages.Where(m => m.Importance == MessageImportance.High).Select(m => m.Message!);

    public IEnumerable<string> Quiet => messages.Where(m => m.Importance != MessageImportance.High).Select(m => m.Message!);

    /// <summary>Warnings that the build makes errors.</summary>
    public HashSet<string> Promoted { get; } = [];

    public bool AllowFailureWithoutError { get; set; }

    public bool IsRunningMultipleNodes => false;

    public bool ContinueOnError => false;

    public int LineNumberOfTaskNode => 7;

    public int ColumnNumberOfTaskNode => 5;

    public string ProjectFileOfTaskNode => projectFile;

    public bool BuildProjectFile(string projectFileName, string[] targetNames, IDictionary globalProperties, IDictionary targetOutputs) => throw new NotSupportedException();

    public void LogCustomEvent(CustomBuildEventArgs e) => throw new NotSupportedException();

    public void LogErrorEvent(BuildErrorEventArgs e)
    {
        lock (errors)
            errors.Add(e);
    }

    public void LogMessageEvent(BuildMessageEventArgs e)
    {
        lock (messages)
            messages.Add(e);
    }

    public void LogWarningEvent(BuildWarningEventArgs e)
    {
        lock (warnings)
            warnings.Add(e);
    }

    public bool ShouldTreatWarningAsError(string warningCode) => Promoted.Contains(warningCode);

    public bool BuildProjectFile(string projectFileName, string[] targetNames, IDictionary globalProperties, IDictionary targetOutputs, string toolsVersion) => throw new NotSupportedException();

    public bool BuildProjectFilesInParallel(string[] projectFileNames, string[] targetNames, IDictionary[] globalProperties, IDictionary[] targetOutputsPerProject, string[] toolsVersion, bool useResultsCache, bool unloadProjectsOnCompletion) => throw new NotSupportedException();

    public BuildEngineResult BuildProjectFilesInParallel(string[] projectFileNames, string[] targetNames, IDictionary[] globalProperties, IList<string>[] removeGlobalProperties, string[] toolsVersion, bool returnTargetOutputs) => throw new NotSupportedException();

    public void Yield()
    {
    }

    public void Reacquire()
    {
    }

    public void LogTelemetry(string eventName, IDictionary<string, string> properties)
    {
    }

    public IReadOnlyDictionary<string, string> GetGlobalProperties() => new Dictionary<string, string>();

    public void RegisterTaskObject(object key, object obj, RegisteredTaskObjectLifetime lifetime, bool allowEarlyCollection) => throw new NotSupportedException();

    public object GetRegisteredTaskObject(object key, RegisteredTaskObjectLifetime lifetime) => throw new NotSupportedException();

    public object UnregisterTaskObject(object key, RegisteredTaskObjectLifetime lifetime) => throw new NotSupportedException();

    public int RequestCores(int requestedCores) => requestedCores;

    public void ReleaseCores(int coresToRelease)
    {
    }
}
