// What a chat template is asked to render, and what it gives.
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Chat;

/// <summary>The arguments of transformers' apply_chat_template.</summary>
public sealed record ChatRenderRequest
{
    /// <summary>Messages with all their fields, as in the source. They are not changed.</summary>
    public required JsonArray Messages { get; init; }

    /// <summary>Defined in the template even when absent: then none.</summary>
    public JsonArray? Tools { get; init; }

    public JsonArray? Documents { get; init; }

    public bool AddGenerationPrompt { get; init; }

    /// <summary>The field of the last message that the model is to continue (<c>content</c> as a rule); null: none.</summary>
    public string? ContinueFinalMessage { get; init; }

    /// <summary>bos_token, eos_token and others. An absent one is undefined in the template.</summary>
    public JsonObject Variables { get; init; } = [];

    /// <summary>The clock behind <c>strftime_now</c>.</summary>
    public DateTime? Now { get; init; }
}

/// <param name="Assistant">Ranges [start, end) in code points of <paramref name="Text"/> that the template marks as the assistant's words; null when it has no <c>generation</c> tag.</param>
public sealed record ChatRenderResult(string Text, IReadOnlyList<(int Start, int End)>? Assistant);
