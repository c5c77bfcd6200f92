// Special tokens and chat template from tokenizer_config.json, special_tokens_map.json and chat_template.jinja.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Export;

/// <param name="ChatTemplate">Jinja source; null where the model has none.</param>
internal sealed record TokenizerSettings(string? BosToken, string? EosToken, string? UnkToken, string? PadToken, string? ChatTemplate)
{
    public static TokenizerSettings Read(string directory)
    {
        JsonObject config = Optional(Path.Combine(directory, "tokenizer_config.json"));
        JsonObject map = Optional(Path.Combine(directory, "special_tokens_map.json"));
        string templateFile = Path.Combine(directory, "chat_template.jinja");
        return new TokenizerSettings(
            Token(config, map, "bos_token"),
            Token(config, map, "eos_token"),
            Token(config, map, "unk_token"),
            Token(config, map, "pad_token"),
            File.Exists(templateFile) ? File.ReadAllText(templateFile) : Template(config["chat_template"]));
    }

    private static JsonObject Optional(string path) => File.Exists(path) ? JsonFile.ReadObject(path, "LB0706", "the tokenizer's settings") : [];

    /// <summary>A string, or an added token written out as an object.</summary>
    private static string? Token(JsonObject config, JsonObject map, string key) =>
        ((config.ContainsKey(key) ? config : map)[key]) switch
        {
            JsonValue value when value.TryGetValue(out string? text) => text,
            JsonObject token => (string?)token["content"],
            _ => null,
        };

    /// <summary>One template, or a list of named ones of which "default" counts.</summary>
    private static string? Template(JsonNode? node) => node switch
    {
        JsonValue value when value.TryGetValue(out string? text) => text,
        JsonArray named => named.OfType<JsonObject>().Where(t => (string?)t["name"] == "default").Select(t => (string?)t["template"]).FirstOrDefault(),
        _ => null,
    };
}
