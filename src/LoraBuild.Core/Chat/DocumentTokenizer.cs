// One document to token ids and labels: renders it, finds the targets, keeps control tokens out of the user's words, cuts to length.
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Data;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;
using Encoding = LoraBuild.Core.Tokenizers.Encoding;

namespace LoraBuild.Core.Chat;

/// <summary>A document as it is trained, and what the audit wants to know about how it became that.</summary>
internal sealed record TokenizedDocument(int[] Ids, int[] Labels)
{
    /// <summary>Tokens before truncation.</summary>
    public required int FullLength { get; init; }

    /// <summary>Messages that truncation left out.</summary>
    public int DroppedMessages { get; init; }

    /// <summary>Whether tokens were cut off at the end.</summary>
    public bool IsCut { get; init; }

    /// <summary>Target tokens that were cut off.</summary>
    public int LostTargets { get; init; }

    /// <summary>Special tokens that stood in words that are not the assistant's and were kept as text.</summary>
    public IReadOnlyList<string> Injected { get; init; } = [];

    /// <summary>Special tokens in the assistant's words: control tokens.</summary>
    public IReadOnlyList<string> SpokenControls { get; init; } = [];

    /// <summary>Whether the template would render the conversation differently if the injected tokens were none.</summary>
    public bool ChangesRendering { get; init; }

    /// <summary>Tokens that begin before an answer and end in it: generation will never see them.</summary>
    public int CrossingTokens { get; init; }

    /// <summary>The text of each unknown token.</summary>
    public IReadOnlyList<string> UnknownPieces { get; init; } = [];

    /// <summary>Tokens that are predicted: nothing comes before the first one.</summary>
    public int Targets => CountTargets(Labels, 1);

    public static int CountTargets(ReadOnlySpan<int> labels, int from)
    {
        int count = 0;
        for (int i = from; i < labels.Length; i++)
            count += labels[i] != TokensFile.IgnoredLabel ? 1 : 0;
        return count;
    }
}

internal sealed class DocumentTokenizer
{
    private readonly Tokenizer tokenizer;
    private readonly ChatTemplate? template;
    private readonly TemplateSection section;
    private readonly JsonObject variables;
    private readonly ControlTokens controls;

    /// <param name="template">Null where no document is a conversation.</param>
    public DocumentTokenizer(Tokenizer tokenizer, ChatTemplate? template, TemplateSection section)
    {
        this.tokenizer = tokenizer;
        this.template = template;
        this.section = section;
        variables = Variables(tokenizer);

        controls = new ControlTokens(tokenizer, template is null ? [] : [template.Source, .. template.ForTools is { } forTools ? new[] { forTools.Source } : []]);
    }

    /// <summary>The tokenizer's named tokens as templates see them: those that are set.</summary>
    public static JsonObject Variables(Tokenizer tokenizer) => new(tokenizer.ConfigVariables
        .Where(v => v.Value.Length > 0)
        .OrderBy(v => v.Key, StringComparer.Ordinal)
        .Select(v => KeyValuePair.Create(v.Key, (JsonNode?)v.Value)));

    public TokenizedDocument Tokenize(Conversation document)
    {
        if (document.Messages.Count == 0)
            return Cut(TokenizePlain(document), 0);
        Conversation conversation = WithSystem(document);
        TokenizedDocument result = TokenizeConversation(conversation);
        if (result.Ids.Length <= section.MaxLength || section.Truncation != "drop_turns")
            return Cut(result, 0);
        int fullLength = result.FullLength;
        int dropped = 0;
        while (result.Ids.Length > section.MaxLength && WithoutOldestTurns(conversation) is { } shorter)
        {
            dropped += conversation.Messages.Count - shorter.Messages.Count;
            conversation = shorter;
            result = TokenizeConversation(conversation);
        }

        return Cut(result with { FullLength = fullLength }, dropped);
    }

    /// <summary>Of a preference pair only the answers are compared, whatever the recipe trains otherwise.</summary>
    private string LossOf(Conversation document) => document.Half is null ? section.Loss : "assistant";

    private Conversation WithSystem(Conversation document)
    {
        if (section.System is not { Length: > 0 } system || document.Messages[0].Role is "system" or "developer")
            return document;
        ChatMessage message = new("system", system, null, new JsonObject { ["role"] = "system", ["content"] = system });
        return document with { Messages = [message, .. document.Messages] };
    }

    /// <summary>Drops the first exchange behind the system prompt; null when only one is left.</summary>
    private static Conversation? WithoutOldestTurns(Conversation conversation)
    {
        int[] questions = [.. Enumerable.Range(0, conversation.Messages.Count).Where(i => conversation.Messages[i].Role == "user")];
        if (questions.Length < 2)
            return null;
        List<ChatMessage> rest = [.. conversation.Messages.TakeWhile(m => m.Role is "system" or "developer"), .. conversation.Messages.Skip(questions[1])];
        return rest.Exists(m => m.Role == "assistant" && m.Train != false) ? conversation with { Messages = rest } : null;
    }

    private TokenizedDocument Cut(TokenizedDocument document, int dropped)
    {
        bool isCut = document.Ids.Length > section.MaxLength;
        return document with
        {
            Ids = isCut ? document.Ids[..section.MaxLength] : document.Ids,
            Labels = isCut ? document.Labels[..section.MaxLength] : document.Labels,
            DroppedMessages = dropped,
            IsCut = isCut,
            LostTargets = isCut ? TokenizedDocument.CountTargets(document.Labels, section.MaxLength) : 0,
        };
    }

    /// <summary>Texts and completions: the tokenizer's own special tokens around them, and the end token as a target.</summary>
    private TokenizedDocument TokenizePlain(Conversation document)
    {
        string text = document.Text ?? (document.Prompt + document.Completion);
        int start = document.Text is null && LossOf(document) != "all" ? PyText.Length(document.Prompt ?? "") : 0;
        Encoding encoding = tokenizer.Encode(text, addSpecialTokens: true, splitSpecialTokens: true);
        List<int> ids = [.. encoding.Ids];
        List<int> labels = [.. TokenLabels.FromRanges(encoding, [(start, PyText.Length(text))])];
        for (int i = 0; i < labels.Count; i++)
        {
            // A token that the post-processor adds behind the text ends it: the model must learn to say it.
            if (encoding.SpecialTokensMask[i] && i > 0 && i == labels.Count - 1)
                labels[i] = ids[i];
        }

        if (tokenizer.EosTokenId is int end && (ids.Count == 0 || ids[^1] != end))
        {
            ids.Add(end);
            labels.Add(end);
        }

        return new TokenizedDocument([.. ids], [.. labels]) { FullLength = ids.Count, UnknownPieces = Unknown(encoding, text) };
    }

    private TokenizedDocument TokenizeConversation(Conversation conversation)
    {
        InjectionGuard guard = new(controls);
        RenderedConversation rendered = TargetRanges.Render(template!, guard.Protect(conversation), variables, LossOf(conversation), section.Now);
        (string text, int[] guarded) = guard.Restore(rendered.Text);
        Encoding encoding = tokenizer.EncodeWithGuard(text, guarded);
        return new TokenizedDocument(encoding.Ids, TokenLabels.FromRanges(encoding, rendered.Targets))
        {
            FullLength = encoding.Ids.Length,
            Injected = guard.Found,
            SpokenControls = SpokenControls(conversation),
            ChangesRendering = IsNotTheTemplates(conversation, text, encoding.Ids, guard.Found.Count > 0),
            CrossingTokens = TokenLabels.Crossing(encoding, rendered.Targets),
            UnknownPieces = Unknown(encoding, text),
        };
    }

    /// <summary>Compares with what transformers' apply_chat_template(tokenize=True) gives: the conversation as it is, rendered and tokenised as a whole.</summary>
    /// <returns>Whether special tokens in the words (kept as text here) made the template write something else.</returns>
    /// <exception cref="InvalidOperationException">The ids differ although the text does not: a fault of the tokenizer.</exception>
    private bool IsNotTheTemplates(Conversation conversation, string text, int[] ids, bool isGuarded)
    {
        if (isGuarded)
        {
            JsonArray messages = new([.. conversation.Messages.Select(m => m.Raw.DeepClone())]);
            string plain = template!.Render(new ChatRenderRequest { Messages = messages, Tools = conversation.Tools, Variables = variables, Now = section.Now }).Text;
            return plain != text;
        }

        return tokenizer.EncodeToIds(text, addSpecialTokens: false).AsSpan().SequenceEqual(ids)
            ? false
            : throw new InvalidOperationException($"{conversation.SourceFile}({conversation.SourceLine}): the ids of the rendered conversation differ from those of its text");
    }

    private List<string> SpokenControls(Conversation conversation) =>
        [.. controls.SpokenIn([.. conversation.Messages.Where(m => m.Role == "assistant" && m.Content is not null).Select(m => m.Content!)])];

    private List<string> Unknown(Encoding encoding, string text)
    {
        List<string> pieces = [];
        if (tokenizer.UnkTokenId is not int unknown || Array.IndexOf(encoding.Ids, unknown) < 0)
            return pieces;
        Rune[] runes = [.. text.EnumerateRunes()];
        for (int i = 0; i < encoding.Ids.Length; i++)
        {
            // Some families name their end token as the unknown one, too: where it is written out it is known.
            string piece = encoding.Ids[i] == unknown ? string.Concat(runes[encoding.Offsets[i].Start..encoding.Offsets[i].End]) : "";
            if (piece.Length > 0 && piece != tokenizer.UnkToken)
                pieces.Add(piece);
        }

        return pieces;
    }
}
