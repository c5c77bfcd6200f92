// The files of a base model while a stage computes with them: weights are mapped, so that what somebody writes into a file is computed with from then on.
using System.Security.Cryptography;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Training;
using Microsoft.Win32.SafeHandles;

namespace LoraBuild.Worker.Stages;

/// <summary>
/// Looks at the files that were opened, not at their names: one that is replaced by renaming another, or deleted, stays whole for who has it mapped. A file that another program shortens
/// ends the process when what is gone is read (SIGBUS), which nothing here can tell.
/// </summary>
internal sealed class BaseFilesWatch : ITrainingObserver, IDisposable
{
    private readonly List<Watched> files = [];

    private BaseFilesWatch()
    {
    }

    /// <summary>To be made before the model is read.</summary>
    /// <param name="inputs">Of the stage: hashes by <c>base/NAME</c>.</param>
    public static BaseFilesWatch Of(string modelDirectory, IReadOnlyDictionary<string, string> inputs)
    {
        BaseFilesWatch watch = new();
        try
        {
            foreach (string path in Directory.EnumerateFiles(modelDirectory, "*.safetensors").Order(StringComparer.Ordinal))
            {
                SafeFileHandle handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                watch.files.Add(new Watched(path, handle, inputs.GetValueOrDefault("base/" + Path.GetFileName(path))) { Stamp = StampOf(handle) });
            }
        }
        catch
        {
            watch.Dispose();
            throw;
        }

        return watch;
    }

    /// <summary>Before a checkpoint of the step can be written.</summary>
    public void Stepped(StepMetrics step) => Check();

    /// <exception cref="DiagnosticException">LB0837: a file holds other bytes than when the stage began.</exception>
    public void Check()
    {
        foreach (Watched file in files)
        {
            (long, DateTime) stamp = StampOf(file.Handle);
            if (stamp == file.Stamp)
                continue;
            if (file.Sha256 is null || Hash(file.Handle) != file.Sha256)
                throw new DiagnosticException("LB0837", "the file was written to while this stage computed with it, so that nobody can say with which weights; nothing of it was kept since. Put the model's file back as it was, or let it be as it is now, and run the stage again. Programs that change model files should write new ones and rename them.", file.Path);
            file.Stamp = stamp; // only touched
        }
    }

    public void Dispose() => files.ForEach(f => f.Handle.Dispose());

    private static (long Length, DateTime Written) StampOf(SafeFileHandle handle) => (RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));

    private static string Hash(SafeFileHandle handle)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[1 << 20];
        long at = 0;
        for (int read; (read = RandomAccess.Read(handle, buffer, at)) > 0; at += read)
            hash.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <param name="Sha256">Null: not known.</param>
    private sealed record Watched(string Path, SafeFileHandle Handle, string? Sha256)
    {
        public (long Length, DateTime Written) Stamp { get; set; }
    }
}
