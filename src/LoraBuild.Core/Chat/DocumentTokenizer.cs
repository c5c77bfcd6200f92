// One document to token ids and labels: renders it, finds the targets, keeps control tokens out of the user's words, cuts to length.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Data;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Recipes;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Core.Chat;

/// <param name="Labels">−100 where there is no target.</param>
/// <param name="FullLength">Tokens before truncation.</param>
/// <param name="DroppedTurns">Messages that truncation left out.</param>
/// <param name="IsCut">Whether tokens were cut off at the end.</param>
/// <param name="Injected">Special tokens that stood in the text of users and were kept as text.</param>
internal sealed record TokenizedDocument(int[] Ids, int[] Labels, int FullLength, int DroppedTurns, bool IsCut, IReadOnlyList<string> Injected)
{
    public int Targets => Labels.Count(l => l != TokensFile.IgnoredLabel);
}

internal sealed class DocumentTokenizer
{
    private readonly Tokenizer tokenizer;
    private readonly ChatTemplate? template;
    private readonly TemplateSection section;
    private readonly JsonObject variables;
    private readonly AddedToken[] controls;

    /// <param name="template">Null where no document is a conversation.</param>
    public DocumentTokenizer(Tokenizer tokenizer, ChatTemplate? template, TemplateSection section)
    {
        this.tokenizer = tokenizer;
        this.template = template;
        this.section = section;
        variables = [];
        foreach ((string name, string token) in tokenizer.ConfigVariables.OrderBy(v => v.Key, StringComparer.Ordinal))
        {
            if (token.Length > 0)
                variables[name] = token;
        }

        // Longest first: a token that contains another is found as itself.
        controls = [.. tokenizer.AddedTokens.Where(t => t.Special && t.Content.Length > 0).OrderByDescending(t => t.Content.Length).ThenBy(t => t.Content, StringComparer.Ordinal)];
    }

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
            DroppedTurns = dropped,
            IsCut = isCut,
        };
    }

    /// <summary>Texts and completions: the tokenizer's own special tokens around them, and the end token as a target.</summary>
    private TokenizedDocument TokenizePlain(Conversation document)
    {
        string text = document.Text ?? (document.Prompt + document.Completion);
        int start = document.Text is null && section.Loss != "all" ? PyText.Length(document.Prompt ?? "") : 0;
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

        return new TokenizedDocument([.. ids], [.. labels], ids.Count, 0, false, []);
    }

    private TokenizedDocument TokenizeConversation(Conversation conversation)
    {
        InjectionGuard guard = new(controls);
        RenderedConversation rendered = TargetRanges.Render(template!, guard.Protect(conversation), variables, section.Loss, section.Now);
        List<int> ids = [];
        List<int> labels = [];
        foreach (GuardedPiece piece in guard.Split(rendered.Text))
        {
            Encoding encoding = tokenizer.Encode(piece.Text, addSpecialTokens: false, splitSpecialTokens: piece.IsInjected);
            int length = PyText.Length(piece.Text);
            int stand = piece.Start; // code points of the rendered text, in which a stand-in counts as one
            IReadOnlyList<(int, int)> targets = piece.IsInjected
                ? (rendered.Targets.Any(t => t.Start <= stand && stand < t.End) ? [(0, length)] : [])
                : [.. rendered.Targets.Select(t => (Math.Clamp(t.Start - stand, 0, length), Math.Clamp(t.End - stand, 0, length))).Where(t => t.Item1 < t.Item2)];
            ids.AddRange(encoding.Ids);
            labels.AddRange(TokenLabels.FromRanges(encoding, targets));
        }

        return new TokenizedDocument([.. ids], [.. labels], ids.Count, 0, false, guard.Found);
    }
}
