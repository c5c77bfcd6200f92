// The verbs that look at things, in the forms of docs/worker-protocol.md and the command line's help.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;

namespace LoraBuild.Worker.Tests;

public sealed class LookingVerbTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    [Fact]
    public void A_file_in_place_of_the_tokenizers_directory_is_called_a_file()
    {
        Outcome outcome = worker.Run("", "tokenize", "--tokenizer", Path.Combine(WorkerFixture.Tokenizer, "tokenizer.json"));
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("is a file. Name the directory", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Tokenize_answers_each_line_and_a_bad_one_with_an_error()
    {
        Outcome outcome = worker.Run("""
            {"text": "a<|im_end|>"}
            nonsense
            {"text": 5}
            {"text": "\ud800"}
            {"text": "é"}
            """, "tokenize", "--tokenizer", WorkerFixture.Tokenizer);
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal("""{"ids":[97,258],"tokens":["a","<|im_end|>"],"offsets":[[0,1],[1,11]]}""", outcome.Lines[0].ToJsonString(JsonLineOptions));
        Assert.All(Enumerable.Range(1, 3), i => Assert.Equal("LB0822", (string)outcome.Lines[i]["error"]!["code"]!));
        Assert.Equal([195, 169], outcome.Lines[4]["ids"]!.AsArray().Select(n => (int)n!));
    }

    [Fact]
    public void Detokenize_is_the_way_back()
    {
        Outcome outcome = worker.Run("""{"ids": [97, 195, 169, 258]}""", "detokenize", "--tokenizer", WorkerFixture.Tokenizer, "--skip-special-tokens");
        Assert.Equal("aé", (string)Assert.Single(outcome.Lines)["text"]!);
    }

    [Fact]
    public void Render_gives_text_and_the_ranges_of_the_assistant()
    {
        Outcome outcome = worker.Run("""{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}""", "render", "--tokenizer", WorkerFixture.Tokenizer);
        JsonNode answer = Assert.Single(outcome.Lines);
        string text = (string)answer["text"]!;
        Assert.Equal("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n", text);
        JsonArray range = Assert.Single(answer["assistant"]!.AsArray())!.AsArray();
        Assert.Equal("yo<|im_end|>", text[(int)range[0]!..(int)range[1]!]);
    }

    [Fact]
    public void Jinja_errors_are_answers()
    {
        Outcome outcome = worker.Run("""
            {"template": "{{ a + 1 }}", "context": {"a": 2}}
            {"template": "{% if %}"}
            """, "jinja");
        Assert.Equal("3", (string)outcome.Lines[0]["text"]!);
        Assert.Equal("LB0301", (string)outcome.Lines[1]["error"]!["code"]!);
    }

    [Fact]
    public void Logits_of_a_padded_row_are_those_of_the_row_alone()
    {
        string model = worker.Model();
        Write("padded.safetensors", [1, 2, 3, 0, 4, 5, 6, 7], [2, 4], [1, 1, 1, 0, 1, 1, 1, 1]);
        Write("alone.safetensors", [1, 2, 3], [1, 3], null);
        float[] padded = Logits("padded.safetensors");
        float[] alone = Logits("alone.safetensors");
        Assert.Equal(2 * 4 * 272, padded.Length);
        for (int i = 0; i < alone.Length; i++)
            Assert.Equal(alone[i], padded[i], 1e-5f);
        Assert.All(padded[(3 * 272)..(4 * 272)], value => Assert.Equal(0, value));

        float[] Logits(string input)
        {
            Outcome outcome = worker.Run("", "logits", "--model", model, "--input", input, "--output", "out.safetensors", "--threads", "1");
            Assert.True(outcome.ExitCode == 0, outcome.Error);
            using SafetensorsFile file = SafetensorsFile.Open(worker.In("out.safetensors"));
            Assert.Contains("hidden_states", file.Tensors.Keys);
            return file.ReadFloat32("logits");
        }
    }

    [Fact]
    public void Logits_refuse_ids_that_the_model_lacks()
    {
        string model = worker.Model();
        Write("in.safetensors", [1, 300], [1, 2], null);
        Outcome outcome = worker.Run("", "logits", "--model", model, "--input", "in.safetensors", "--output", "out.safetensors");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("LB0829", outcome.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(worker.In("out.safetensors")));
    }

    [Fact]
    public void A_model_of_an_unknown_family_can_be_looked_at()
    {
        string model = worker.Model();
        string config = Path.Combine(model, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"llama\"", "\"mamba\"", StringComparison.Ordinal));
        JsonNode found = Assert.Single(worker.Run("", "inspect", model, "--json").Lines);
        Assert.Contains("mamba", found.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains("model.layers.0.mlp.up_proj.weight", worker.Run("", "inspect", model).Output, StringComparison.Ordinal);
        Outcome outcome = worker.Run("", "perplexity", "--model", model, "--tokens", "none.safetensors");
        Assert.Equal(1, outcome.ExitCode);
    }

    [Fact]
    public void Perplexity_generate_chat_and_inspect_work_on_a_model()
    {
        string model = worker.Model();
        File.WriteAllText(worker.In("t.txt"), "some plain text to measure");
        Outcome perplexity = worker.Run("", "perplexity", "--model", model, "--text", "t.txt");
        JsonNode measured = Assert.Single(perplexity.Lines);
        Assert.Equal(25, (int)measured["tokens"]!);
        Assert.Equal(Math.Exp((double)measured["loss"]!), (double)measured["perplexity"]!, 1e-6);

        string[] generate = ["generate", "--model", model, "--prompt", "abc", "--max-new-tokens", "5", "--json"];
        Assert.Equal(worker.Run("", generate).Output, worker.Run("", generate).Output);
        Assert.InRange(Assert.Single(worker.Run("", generate).Lines)["ids"]!.AsArray().Count, 1, 5);
        Assert.Equal(0, worker.Run("hello\n", "chat", "--model", model, "--max-new-tokens", "3").ExitCode);

        JsonNode found = Assert.Single(worker.Run("", "inspect", model, "--json").Lines);
        Assert.Equal(("model", 11), ((string)found["kind"]!, found["tensors"]!.AsArray().Count));
        Assert.Contains("model.layers.0.mlp.up_proj.weight", worker.Run("", "inspect", model).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Inspect_says_why_it_opens_no_pickle_and_that_a_file_is_empty()
    {
        File.WriteAllBytes(worker.In("pytorch_model.bin"), [0x80, 2, (byte)'}', (byte)'.']);
        Assert.Contains("pickle", worker.Run("", "inspect", "pytorch_model.bin").Error, StringComparison.Ordinal);
        File.WriteAllBytes(worker.In("empty.gguf"), []);
        Assert.Contains("it is empty", worker.Run("", "inspect", "empty.gguf").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Export_writes_one_file_a_type()
    {
        string model = worker.Model();
        Assert.Equal(0, worker.Run("", "export-gguf", "--model", model, "--type", "f32", "--type", "q8_0", "--output", "m-{type}.gguf").ExitCode);
        Assert.Equal("gguf", (string)Assert.Single(worker.Run("", "inspect", "m-q8_0.gguf", "--json").Lines)["kind"]!);
        Assert.True(File.Exists(worker.In("m-f32.gguf")));
        Assert.Equal(2, worker.Run("", "export-gguf", "--model", model, "--type", "f32", "--type", "f16", "--output", "m.gguf").ExitCode);
        Outcome directory = worker.Run("", "export-gguf", "--model", model, "--type", "f32", "--output", ".");
        Assert.Equal(2, directory.ExitCode);
        Assert.Contains("is a directory", directory.Error, StringComparison.Ordinal);
        Outcome unknown = worker.Run("", "export-gguf", "--model", model, "--type", "q9_9", "--output", "m.gguf");
        Assert.Contains("LB0834", unknown.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_is_written_as_a_file_of_its_own_and_only_as_f32_or_f16()
    {
        string model = worker.Model();
        PeftAdapterFiles.Write(worker.In("adapter"), new PeftAdapterConfig { R = 2, LoraAlpha = 4, TargetModules = ["up_proj"] }, Pair());
        Assert.Equal(0, worker.Run("", "export-gguf", "--model", model, "--adapter", "adapter", "--type", "f16", "--output", "a.gguf").ExitCode);
        JsonNode found = Assert.Single(worker.Run("", "inspect", "a.gguf", "--json").Lines);
        Assert.Equal(("adapter", 4), ((string)found["properties"]!["general.type"]!, (int)found["properties"]!["adapter.lora.alpha"]!));
        Assert.Equal(("f16", 2), ((string)found["types"]![0]!["dtype"]!, (int)found["types"]![0]!["tensors"]!));
        Assert.Contains("LB0834", worker.Run("", "export-gguf", "--model", model, "--adapter", "adapter", "--type", "q8_0", "--output", "b.gguf").Error, StringComparison.Ordinal);
        Assert.False(File.Exists(worker.In("b.gguf")));

        TensorToWrite[] Pair()
        {
            using ModelFiles files = ModelFiles.Open(model);
            long[] shape = files.Tensors["model.layers.0.mlp.up_proj.weight"].Shape;
            return
            [
                TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfA("model.layers.0.mlp.up_proj"), [2, shape[1]], new float[2 * shape[1]]),
                TensorToWrite.FromFloat32(PeftAdapterFiles.KeyOfB("model.layers.0.mlp.up_proj"), [shape[0], 2], new float[2 * shape[0]]),
            ];
        }
    }

    [Fact]
    public void Inspect_totals_each_type_and_names_a_damaged_file()
    {
        string model = worker.Model();
        Assert.Equal(0, worker.Run("", "export-gguf", "--model", model, "--type", "q8_0", "--output", "m.gguf").ExitCode);
        JsonNode found = Assert.Single(worker.Run("", "inspect", "m.gguf", "--json").Lines);
        Assert.Equal((long)found["bytes"]!, found["types"]!.AsArray().Sum(t => (long)t!["bytes"]!));
        Assert.Equal((long)found["parameters"]!, found["types"]!.AsArray().Sum(t => (long)t!["parameters"]!));
        Assert.Contains("general.architecture", worker.Run("", "inspect", "m.gguf").Output, StringComparison.Ordinal);
        byte[] bytes = File.ReadAllBytes(worker.In("m.gguf"));
        File.WriteAllBytes(worker.In("cut.gguf"), bytes[..(bytes.Length / 2)]);
        Outcome damaged = worker.Run("", "inspect", "cut.gguf");
        Assert.Equal(1, damaged.ExitCode);
        Assert.Contains("LB0440", damaged.Error, StringComparison.Ordinal);
    }

    private static System.Text.Json.JsonSerializerOptions JsonLineOptions => Hosting.JsonLines.Options;

    private void Write(string name, long[] ids, long[] shape, long[]? mask)
    {
        List<TensorToWrite> tensors = [TensorToWrite.FromInt64("input_ids", shape, ids)];
        if (mask is not null)
            tensors.Add(TensorToWrite.FromInt64("attention_mask", shape, mask));
        SafetensorsWriter.Write(worker.In(name), tensors);
    }

    public void Dispose() => worker.Dispose();
}
