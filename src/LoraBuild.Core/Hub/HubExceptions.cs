// What can go wrong between this machine and the hub, before it is known whether it is worth another attempt.
using System.Net;

namespace LoraBuild.Core.Hub;

/// <summary>Worth another attempt: the network, an overloaded server.</summary>
/// <param name="isFinal">The same would happen again (a certificate that is not trusted).</param>
internal sealed class HubTransientException(string message, TimeSpan? retryAfter = null, bool isFinal = false) : Exception(message)
{
    /// <summary>What the server asked for.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    public bool IsFinal { get; } = isFinal;
}

/// <summary>The hub understood the question and refuses it.</summary>
internal sealed class HubStatusException(HttpStatusCode status, string? errorCode, string? errorMessage) : Exception($"{(int)status} {errorCode} {errorMessage}")
{
    public HttpStatusCode Status { get; } = status;

    /// <summary>X-Error-Code: GatedRepo, RepoNotFound, RevisionNotFound, EntryNotFound, …</summary>
    public string? ErrorCode { get; } = errorCode;

    public string? ErrorMessage { get; } = errorMessage;
}

/// <summary>What arrives is not the file that the listing promised; the file has to be begun anew.</summary>
internal sealed class HubContentException(string message) : Exception(message);

/// <summary>The server answers a request for a part with the whole.</summary>
internal sealed class HubRangeIgnoredException() : Exception("the server sends whole files only");
