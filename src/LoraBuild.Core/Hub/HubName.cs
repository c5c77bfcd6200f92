// A model's name on the hub: org/name, or org/name@revision. Whatever is one is also safe as a part of paths and addresses.
using System.Text.RegularExpressions;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Hub;

/// <param name="Id"><c>org/name</c>; old models have no organisation.</param>
/// <param name="Revision">Branch, tag or commit as it was written; null: not written.</param>
public sealed partial record HubName(string Id, string? Revision)
{
    public const string DefaultRevision = "main";

    // huggingface_hub: repository ids have at most 96 characters.
    private const int MaxIdLength = 96;

    public string RevisionOrMain => Revision ?? DefaultRevision;

    /// <summary>The revision is a whole commit: what it names never changes.</summary>
    public bool IsCommit => Revision is { Length: 40 } && Revision.All(char.IsAsciiHexDigitLower);

    public override string ToString() => Revision is null ? Id : $"{Id}@{Revision}";

    /// <exception cref="DiagnosticException">LB0053: neither id nor revision can be read in it.</exception>
    public static HubName Parse(string text, RecipePlace? place = null)
    {
        place ??= RecipePlace.None;
        int at = text.IndexOf('@', StringComparison.Ordinal);
        string id = at < 0 ? text : text[..at];
        string? revision = at < 0 ? null : text[(at + 1)..];
        if (id.Length > MaxIdLength || !IdForm().IsMatch(id) || id.Contains("--", StringComparison.Ordinal) || id.Contains("..", StringComparison.Ordinal))
            throw new DiagnosticException("LB0053", $"'{text}' is neither a directory nor a hub id; a hub id has the form org/name or org/name@revision.", place.File, place.Line, place.Column);
        if (revision is not null && (!RevisionForm().IsMatch(revision) || revision.Contains("..", StringComparison.Ordinal)))
            throw new DiagnosticException("LB0053", $"'{revision}' is no revision; write a branch, a tag or a commit after the @ of {text}.", place.File, place.Line, place.Column);
        return new HubName(id, revision);
    }

    /// <summary>Whether the text can only mean a place on this machine.</summary>
    public static bool IsPath(string text) => Path.IsPathRooted(text) || text.StartsWith('.') || text.Contains('\\', StringComparison.Ordinal);

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?(?<![.-])\z", RegexOptions.CultureInvariant)]
    private static partial Regex IdForm();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}\z", RegexOptions.CultureInvariant)]
    private static partial Regex RevisionForm();
}
