// Modelfiles name the file, the template and where to stop.
using LoraBuild.Engine.Export;

namespace LoraBuild.Engine.Tests.Export;

public sealed class OllamaModelfileTests
{
    [Fact]
    public void ChatML_has_its_template_and_stop()
    {
        using TemporaryDirectory output = new();
        string path = OllamaModelfile.Write(Path.Combine(output.Path, "bot-q8_0.gguf"), GgufModels.Folder("qwen2"));
        Assert.Equal(
            "FROM ./bot-q8_0.gguf\nTEMPLATE \"\"\"{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n\"\"\"\nPARAMETER stop \"<|im_end|>\"\n",
            File.ReadAllText(path));
    }

    [Fact]
    public void Llama_3_has_its_template_and_stop()
    {
        using TemporaryDirectory output = new();
        string text = File.ReadAllText(OllamaModelfile.Write(Path.Combine(output.Path, "m.gguf"), GgufModels.Folder("llama3-rope")));
        Assert.Contains("{{ .Content }}<|eot_id|>\n{{- end }}<|start_header_id|>assistant<|end_header_id|>\n\n\"\"\"", text, StringComparison.Ordinal);
        Assert.Contains("PARAMETER stop \"<|eot_id|>\"\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Gemma_stops_at_the_end_of_a_turn()
    {
        using TemporaryDirectory output = new();
        Assert.Equal("FROM ./m.gguf\nPARAMETER stop \"<end_of_turn>\"\nPARAMETER stop \"<eos>\"\n", File.ReadAllText(OllamaModelfile.Write(Path.Combine(output.Path, "m.gguf"), GgufModels.Folder("gemma3-text"))));
    }

    [Fact]
    public void Another_template_is_left_to_the_GGUF_file()
    {
        using TemporaryDirectory output = new();
        Assert.Equal("FROM ./m.gguf\nPARAMETER stop \"</s>\"\n", File.ReadAllText(OllamaModelfile.Write(Path.Combine(output.Path, "m.gguf"), GgufModels.Folder("mistral"))));
    }
}
