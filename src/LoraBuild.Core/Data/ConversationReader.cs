// Turns a row into a conversation: OpenAI messages, ShareGPT, Alpaca, prompt and completion, preference pairs, plain text, or columns that the recipe names.
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Data;

/// <summary>A row that is no conversation, and why.</summary>
internal sealed class RowException(string code, string message) : Exception(message)
{
    public string Code { get; } = code;
}

internal static class ConversationReader
{
    /// <summary>Our names of columns; the recipe's <c>columns</c> maps them to the source's.</summary>
    public static readonly string[] Roles = ["messages", "conversations", "tools", "system", "history", "instruction", "input", "output", "prompt", "response", "completion", "chosen", "rejected", "text"];

    /// <exception cref="RowException">LB0102: the columns are of no known format; LB0105: a field has the wrong type.</exception>
    public static Conversation Read(JsonObject row, string format, IReadOnlyDictionary<string, string> columns, string file, int line)
    {
        JsonObject fields = Rename(row, columns);
        string kind = format == "auto" ? Detect(fields, row) : format;
        Conversation conversation = kind switch
        {
            "messages" => FromMessages(Need(fields, "messages", row)),
            "sharegpt" => FromShareGpt(fields, row),
            "alpaca" => FromAlpaca(fields, row),
            "chat" => new Conversation { Messages = Turns(fields, Text(fields, "prompt", row), Text(fields, "response", row)) },
            "completion" => FromCompletion(fields, row),
            "preference" => PreferenceReader.Read(fields, Names(row)),
            "text" => new Conversation { Text = Text(fields, "text", row) },
            _ => throw new RowException("LB0102", $"the format '{kind}' is not read here"),
        };
        JsonArray? tools = Tools(fields);
        return conversation with { Tools = tools, SourceFile = file, SourceLine = line, Rejected = conversation.Rejected is { } rejected ? rejected with { Tools = tools, SourceFile = file, SourceLine = line } : null };
    }

    /// <summary>A message with its role and content first and all other fields behind them.</summary>
    public static ChatMessage Message(JsonObject message)
    {
        if (message["role"] is not JsonValue roleValue || !roleValue.TryGetValue(out string? role) || role.Length == 0)
            throw new RowException("LB0105", "a message needs a 'role' such as \"user\" or \"assistant\"");
        JsonNode? content = message["content"];
        if (content is not (null or JsonArray) && content.GetValueKind() != JsonValueKind.String)
            throw new RowException("LB0105", $"the content of the {role}'s message must be a text or a list of parts");
        JsonObject raw = new() { ["role"] = role };
        if (message.ContainsKey("content"))
            raw["content"] = content?.DeepClone();
        foreach ((string key, JsonNode? value) in message)
        {
            if (key is not ("role" or "content" or "train" or "weight"))
                raw[key] = value?.DeepClone();
        }

        return new ChatMessage(role, content is JsonValue ? (string?)content : null, Train(message), raw);
    }

    private static bool? Train(JsonObject message)
    {
        if (message["train"] is JsonNode train)
            return train.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? train.GetValue<bool>() : throw new RowException("LB0105", "'train' of a message must be true or false");
        if (message["weight"] is not JsonNode weight)
            return null;
        // OpenAI's fine-tuning format: 0 or 1.
        return weight.GetValueKind() == JsonValueKind.Number && weight.GetValue<double>() is 0 or 1
            ? weight.GetValue<double>() != 0
            : throw new RowException("LB0105", "'weight' of a message must be 0 or 1");
    }

    private static JsonObject Rename(JsonObject row, IReadOnlyDictionary<string, string> columns)
    {
        if (columns.Count == 0)
            return row;
        JsonObject fields = [];
        foreach ((string role, string column) in columns.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            if (!row.TryGetPropertyValue(column, out JsonNode? value))
                throw new RowException("LB0102", $"there is no column '{column}', which the recipe names for '{role}'; the row has {Names(row)}");
            fields[role] = value?.DeepClone();
        }

        return fields;
    }

    private static string Detect(JsonObject fields, JsonObject row)
    {
        if (fields.ContainsKey("messages"))
            return "messages";
        if (fields.ContainsKey("conversations"))
            return "sharegpt";
        if (fields.ContainsKey("instruction") && fields.ContainsKey("output"))
            return "alpaca";
        if (fields.ContainsKey("chosen") && fields.ContainsKey("rejected"))
            return "preference";
        if (fields.ContainsKey("prompt") && fields.ContainsKey("response"))
            return "chat";
        if (fields.ContainsKey("prompt") && fields.ContainsKey("completion"))
            return "completion";
        if (fields.ContainsKey("text"))
            return "text";
        throw new RowException("LB0102", $"the format is not known from the columns {Names(row)}. Known are messages | conversations | instruction+output | prompt+response | prompt+completion | chosen+rejected | text; name others in the source's columns, such as columns: {{prompt: question, response: answer}}");
    }

    private static string Names(JsonObject row) => row.Count == 0 ? "no columns" : string.Join(", ", row.Select(f => f.Key).Take(20));

    internal static Conversation FromMessages(JsonNode node)
    {
        if (Parsed(node) is not JsonArray array)
            throw new RowException("LB0105", "'messages' must be a list of messages");
        return new Conversation { Messages = [.. array.Select(m => Message(m as JsonObject ?? throw new RowException("LB0105", "a message must be an object with role and content")))] };
    }

    private static Conversation FromShareGpt(JsonObject fields, JsonObject row)
    {
        if (Parsed(Need(fields, "conversations", row)) is not JsonArray turns)
            throw new RowException("LB0105", "'conversations' must be a list of turns");
        List<ChatMessage> messages = [];
        if (OptionalText(fields, "system") is { Length: > 0 } system)
            messages.Add(Turn("system", system));
        foreach (JsonNode? node in turns)
        {
            if (node is not JsonObject turn)
                throw new RowException("LB0105", "a turn must be an object with from and value");
            if (turn.ContainsKey("role"))
            {
                messages.Add(Message(turn));
                continue;
            }

            string from = Text(turn, "from", turn);
            string role = from switch
            {
                "human" or "user" => "user",
                "gpt" or "assistant" or "model" or "chatgpt" or "bing" or "bard" or "function_call" => "assistant",
                "system" => "system",
                "tool" or "function" or "observation" => "tool",
                _ => throw new RowException("LB0105", $"'from' is \"{from}\"; known are human, user, gpt, assistant, model, system, tool, function, observation, function_call"),
            };
            messages.Add(Turn(role, Text(turn, "value", turn)) with { Train = Train(turn) });
        }

        return new Conversation { Messages = messages };
    }

    private static Conversation FromAlpaca(JsonObject fields, JsonObject row)
    {
        string instruction = Text(fields, "instruction", row);
        string input = OptionalText(fields, "input") ?? "";
        return new Conversation { Messages = Turns(fields, input.Length == 0 ? instruction : instruction + "\n\n" + input, Text(fields, "output", row)) };
    }

    private static Conversation FromCompletion(JsonObject fields, JsonObject row)
    {
        JsonNode? prompt = Parsed(Need(fields, "prompt", row));
        JsonNode? completion = Parsed(Need(fields, "completion", row));
        // Both as lists of messages: a conversation of which only the completion is a target.
        if (prompt is JsonArray before && completion is JsonArray after)
        {
            IEnumerable<ChatMessage> given = FromMessages(before).Messages.Select(m => m.Role == "assistant" ? m with { Train = m.Train ?? false } : m);
            return new Conversation { Messages = [.. given, .. FromMessages(after).Messages] };
        }

        return new Conversation { Prompt = Text(fields, "prompt", row), Completion = Text(fields, "completion", row) };
    }

    /// <summary>An optional system prompt and history, then one question and its answer.</summary>
    private static List<ChatMessage> Turns(JsonObject fields, string question, string answer)
    {
        List<ChatMessage> messages = [];
        if (OptionalText(fields, "system") is { Length: > 0 } system)
            messages.Add(Turn("system", system));
        if (Parsed(fields["history"]) is JsonNode history)
        {
            foreach (JsonNode? pair in history as JsonArray ?? throw new RowException("LB0105", "'history' must be a list of [question, answer] pairs"))
            {
                if (pair is not JsonArray { Count: 2 } turn || turn[0]?.GetValueKind() != JsonValueKind.String || turn[1]?.GetValueKind() != JsonValueKind.String)
                    throw new RowException("LB0105", "'history' must be a list of [question, answer] pairs");
                messages.Add(Turn("user", (string)turn[0]!));
                messages.Add(Turn("assistant", (string)turn[1]!));
            }
        }

        messages.Add(Turn("user", question));
        messages.Add(Turn("assistant", answer));
        return messages;
    }

    private static ChatMessage Turn(string role, string content) => new(role, content, null, new JsonObject { ["role"] = role, ["content"] = content });

    private static JsonArray? Tools(JsonObject fields)
    {
        JsonNode? tools = Parsed(fields["tools"]);
        return tools switch
        {
            null => null,
            JsonArray array => (JsonArray)array.DeepClone(),
            _ => throw new RowException("LB0105", "'tools' must be a list of tool descriptions"),
        };
    }

    /// <summary>In csv and tsv a list stands as JSON text in its field.</summary>
    internal static JsonNode? Parsed(JsonNode? node)
    {
        if (node is not JsonValue value || !value.TryGetValue(out string? text) || !text.TrimStart().StartsWith('['))
            return node is JsonValue empty && empty.TryGetValue(out string? blank) && blank.Length == 0 ? null : node;
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return node; // an ordinary text that begins with a bracket
        }
    }

    private static JsonNode Need(JsonObject fields, string name, JsonObject row) =>
        fields[name] ?? throw new RowException("LB0102", $"the row needs '{name}'; it has {Names(row)}");

    private static string Text(JsonObject fields, string name, JsonObject row) => Need(fields, name, row) is var node && node.GetValueKind() == JsonValueKind.String
        ? node.GetValue<string>()
        : throw new RowException("LB0105", $"'{name}' must be a text");

    private static string? OptionalText(JsonObject fields, string name) => fields[name] is not JsonNode node
        ? null
        : node.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : throw new RowException("LB0105", $"'{name}' must be a text");
}
