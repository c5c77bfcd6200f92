// One document of a data set in its canonical form: a conversation, a prompt with its completion, or a text.
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Data;

/// <summary>One turn.</summary>
/// <param name="Role">system, user, assistant, tool, or what the source says.</param>
/// <param name="Content">The text; null when there is none or when it is a list of parts (see <paramref name="Raw"/>).</param>
/// <param name="Train">Whether an assistant's turn is a target; null: as <c>template.loss</c> says.</param>
/// <param name="Raw">The message with all its fields, as templates see it.</param>
public sealed record ChatMessage(string Role, string? Content, bool? Train, JsonObject Raw);

/// <summary>Exactly one of <see cref="Messages"/>, <see cref="Completion"/> and <see cref="Text"/> is the document.</summary>
public sealed record Conversation
{
    /// <summary>Empty for completions and texts.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; init; } = [];

    /// <summary>Descriptions of the tools that the template is given.</summary>
    public JsonArray? Tools { get; init; }

    /// <summary>Text before <see cref="Completion"/>; not a target.</summary>
    public string? Prompt { get; init; }

    /// <summary>Text behind <see cref="Prompt"/>; the target.</summary>
    public string? Completion { get; init; }

    /// <summary>Plain text; all of it is a target.</summary>
    public string? Text { get; init; }

    /// <summary>Of a preference pair this document is the better answer to a prompt and that one the worse; null: no pair.</summary>
    public Conversation? Rejected { get; init; }

    /// <summary>chosen or rejected, as dataset/ has it for each half of a pair; null: no pair.</summary>
    public string? Half { get; init; }

    /// <summary>The file that the document comes from: absolute while it is read, relative to the recipe in dataset/.</summary>
    public string SourceFile { get; init; } = "";

    /// <summary>From 1.</summary>
    public int SourceLine { get; init; }
}
