// A build that only remembers what a task logs.
using System.Collections;
using Microsoft.Build.Framework;

namespace LoraBuild.Tasks.Tests;

internal sealed class RecordingBuildEngine(string projectFile) : IBuildEngine
{
    private readonly List<BuildErrorEventArgs> errors = [];
    private readonly List<BuildWarningEventArgs> warnings = [];
    private readonly List<BuildMessageEventArgs> messages = [];

    public IReadOnlyList<BuildErrorEventArgs> Errors => errors;

    public IReadOnlyList<BuildWarningEventArgs> Warnings => warnings;

    public IEnumerable<string> Shown => messages.Where(m => m.Importance == MessageImportance.High).Select(m => m.Message!);

    public IEnumerable<string> Quiet => messages.Where(m => m.Importance != MessageImportance.High).Select(m => m.Message!);

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
}
