// How the hub is reached and where what it sends is kept. The environment is read by the program and handed in here.
namespace LoraBuild.Core.Hub;

/// <summary>Not a record: the text of a record would show the token.</summary>
public sealed class HubOptions
{
    public static readonly Uri DefaultEndpoint = new("https://huggingface.co");

    /// <summary>The cache that is written to, <c>HF_HUB_CACHE</c>.</summary>
    public required string CacheDirectory { get; init; }

    /// <summary>Without a slash at its end; a mirror may stand below a path.</summary>
    public Uri Endpoint { get; init; } = DefaultEndpoint;

    /// <summary>Sent to <see cref="Endpoint"/> only, never printed.</summary>
    public string? Token { get; init; }

    /// <summary>Nothing is asked of the network.</summary>
    public bool IsOffline { get; init; }

    /// <summary>Failures in a row, without anything having arrived between, after which it is given up.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>How long a server may send nothing before the connection counts as cut.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes that one request asks for. So many times <see cref="Connections"/> are held in memory.</summary>
    public int PartBytes { get; init; } = 8 << 20;

    /// <summary>Parts of a file that are on their way at once.</summary>
    public int Connections { get; init; } = 8;

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Lets time pass before another attempt.</summary>
    public Func<TimeSpan, CancellationToken, Task> Wait { get; init; } = Task.Delay;

    /// <summary>Free bytes on the volume of a directory.</summary>
    public Func<string, long> FreeBytes { get; init; } = directory => new DriveInfo(directory).AvailableFreeSpace;

    /// <summary>Makes a symbolic link at a path to a relative target; throws an I/O or access error where the system has none.</summary>
    public Action<string, string> CreateLink { get; init; } = (path, target) => File.CreateSymbolicLink(path, target);
}
