// A model that cannot be exported is told before training, not after it.
using System.Text.Json.Nodes;

namespace LoraBuild.Worker.Tests;

public sealed class ExportCheckTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void Training_does_not_start_for_a_base_that_cannot_be_exported()
    {
        WritePipeline("export: { gguf: [q8_0] }");
        Outcome outcome = worker.Run("", "train", "--recipe", "r.yaml", "--output", "o");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("LB0704", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("smollm3", outcome.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(worker.In("o", "adapter")));
        Assert.False(File.Exists(worker.In("o", "metrics.jsonl")));
    }

    [Fact]
    public void Plan_tells_it_beside_the_estimates()
    {
        WritePipeline("export: { gguf: [q8_0] }");
        Outcome outcome = worker.Run("", "plan", "--recipe", "r.yaml", "--output", "o", "--json");
        JsonNode plan = Assert.Single(outcome.Lines);
        Assert.Contains("LB0704", (string)plan["problem"]!, StringComparison.Ordinal);
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("error LB0704", outcome.Error, StringComparison.Ordinal);
        Assert.True((long)plan["trainable_parameters"]! > 0);
    }

    [Fact]
    public void Without_an_export_the_same_base_trains()
    {
        WritePipeline("export: { gguf: [] }");
        Outcome outcome = worker.Run("", "train", "--recipe", "r.yaml", "--output", "o");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.True(File.Exists(worker.In("o", "adapter", "adapter_model.safetensors")));
    }

    /// <summary>SmolLM3 has a Llama's tensors; llama.cpp fixes the layers that do not rotate to every fourth.</summary>
    private void WritePipeline(string export)
    {
        string config = Path.Combine(worker.Model(), "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"model_type\": \"llama\"", "\"model_type\": \"smollm3\", \"no_rope_layer_interval\": 1", StringComparison.Ordinal));
        File.WriteAllText(worker.In("d.jsonl"), string.Concat(Enumerable.Range(0, 8).Select(i => $$"""{"messages": [{"role": "user", "content": "hi {{i}}"}, {"role": "assistant", "content": "yo"}]}""" + "\n")));
        File.WriteAllText(worker.In("r.yaml"), $"name: bot\nbase: {{ model: ./model }}\ndataset: {{ sources: [{{ path: d.jsonl }}] }}\ntrain: {{ max_steps: 1 }}\n{export}\n");
    }

    public void Dispose() => worker.Dispose();
}
