// The shape of a model of any depth, for tests of memory; its weights are random.
using System.Text.Json.Nodes;

namespace LoraBuild.Engine.Tests;

/// <summary>A directory with config.json alone.</summary>
internal sealed class DeepModel : IDisposable
{
    public const int VocabSize = 128;

    private readonly TemporaryDirectory directory = new();

    public DeepModel(int layers, int width, int intermediate, int vocabSize = VocabSize)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(Golden.Model("llama-tied"), "config.json")))!.AsObject();
        (config["num_hidden_layers"], config["hidden_size"], config["intermediate_size"], config["vocab_size"]) = (layers, width, intermediate, vocabSize);
        (config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]) = (2, 2, width / 2);
        File.WriteAllText(System.IO.Path.Combine(directory.Path, "config.json"), config.ToJsonString());
    }

    public string Path => directory.Path;

    public void Dispose() => directory.Dispose();
}
