// A conversation with a model: what was said so far, rendered anew for each answer.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Engine.Generation;

namespace LoraBuild.Worker.Generation;

public sealed class ChatSession(TextModel model, ChatTemplate template, GenerationOptions options)
{
    private readonly JsonArray messages = [];

    /// <summary>The clock behind the template's <c>strftime_now</c>.</summary>
    public DateTime? Now { get; init; }

    public void AddSystem(string text) => Add("system", text);

    /// <summary>Adds the question and the model's answer to the conversation.</summary>
    /// <param name="onText">Gets the answer piece by piece.</param>
    public string Ask(string question, Action<string>? onText, CancellationToken cancellation)
    {
        Add("user", question);
        ChatRenderRequest request = new()
        {
            Messages = messages,
            AddGenerationPrompt = true,
            Variables = new JsonObject(model.Tokenizer.ConfigVariables.Select(v => KeyValuePair.Create<string, JsonNode?>(v.Key, v.Value))),
            Now = Now,
        };

        // The template writes the special tokens itself.
        int[] prompt = model.Tokenizer.EncodeToIds(template.Render(request).Text, addSpecialTokens: false);
        string answer = model.Complete(prompt, options, onText, cancellation).Text;
        Add("assistant", answer);
        return answer;
    }

    private void Add(string role, string content) => messages.Add(new JsonObject { ["role"] = role, ["content"] = content });
}
