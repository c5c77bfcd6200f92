// What training needs, measured in processes of their own, beside what was planned.
using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Models;

namespace LoraBuild.Worker.Tests.Planning;

public sealed partial class MeasuredMemoryTests : IDisposable
{
    private const ushort OneHundredth = 0x3C24; // bf16

    private readonly WorkerFixture worker = new();

    /// <summary>The program itself decides about the peak, whatever the machine's start takes.</summary>
    [Theory]
    [InlineData("", "r: 2, target_modules: [q_proj]", "")]
    [InlineData("", "r: 2, target_modules: [q_proj]", "gradient_checkpointing: true, optim: adamw_8bit")]
    [InlineData("", "type: none", "")]
    public async Task The_peak_of_a_tiny_model_is_planned(string sections, string adapter, string train)
    {
        if (!OperatingSystem.IsLinux())
            return;
        worker.Model();
        (double measured, double predicted, _, string line) = await Train(sections, adapter, train, length: 32, vocabulary: 272);
        Assert.True(Math.Abs((predicted / measured) - 1) <= 0.1, line);
    }

    /// <summary>What is called once a step is compiled again after thirty, in a run that is not over before that begins.</summary>
    [Fact]
    public async Task The_peak_of_a_long_run_is_planned()
    {
        if (!OperatingSystem.IsLinux())
            return;
        worker.Model();
        (double measured, double predicted, _, string line) = await Train("", "r: 2, target_modules: [q_proj]", "", length: 32, vocabulary: 272, steps: 1000);
        Assert.True(Math.Abs((predicted / measured) - 1) <= 0.1, line);
    }

    /// <summary>Tensors of half a gigabyte. What the process held before them is measured, not planned, and counts on neither side.</summary>
    [Theory]
    [InlineData("weights: random", "type: lora", "")]
    [InlineData("weights: random", "lora_dropout: 0.1", "optim: adamw_8bit")]
    [InlineData("weights: random", "init_lora_weights: olora, modules_to_save: [embed_tokens, lm_head], bias: all", "")]
    [InlineData("weights: random", "type: none", "")]
    [InlineData("weights: random, dtype: bfloat16", "type: lora", "")]
    [InlineData("quantization: nf4", "type: dora", "")]
    [InlineData("weights_in_memory: stored", "trainable_token_indices: [1, 2]", "")]
    public async Task What_the_tensors_of_a_model_take_is_planned_within_a_tenth(string sections, string adapter, string train)
    {
        if (!OperatingSystem.IsLinux())
            return;
        WriteModel(hasFile: !sections.Contains("random", StringComparison.Ordinal));
        string lora = adapter == "type: none" ? "" : ", r: 16, target_modules: all-linear" + (adapter.Contains("lora_dropout", StringComparison.Ordinal) ? "" : ", lora_dropout: 0.0");
        (double measured, double predicted, double runtime, string line) = await Train(sections, adapter + lora, train, length: 512, vocabulary: 8192);
        Assert.True(measured - runtime > 100, line);
        Assert.True(Math.Abs(predicted - measured) <= 0.1 * (measured - runtime), line);
    }

    public void Dispose() => worker.Dispose();

    /// <summary>Six layers of width 256, with biases.</summary>
    private void WriteModel(bool hasFile)
    {
        string directory = worker.In("model");
        Directory.CreateDirectory(directory);
        JsonObject config = JsonNode.Parse(File.ReadAllText(Path.Combine(WorkerFixture.Tokenizer, "config.json")))!.AsObject();
        foreach ((string key, int value) in new[] { ("hidden_size", 256), ("intermediate_size", 1024), ("num_hidden_layers", 6), ("head_dim", 64), ("vocab_size", 8192) })
            config[key] = value;
        config["attention_bias"] = true;
        File.WriteAllText(Path.Combine(directory, "config.json"), config.ToJsonString());
        if (!hasFile)
            return;
        byte[] row = new byte[1 << 20];
        for (int i = 0; i < row.Length; i += sizeof(ushort))
            BinaryPrimitives.WriteUInt16LittleEndian(row.AsSpan(i), OneHundredth);
        SafetensorsWriter.Write(Path.Combine(directory, "model.safetensors"), [.. ParameterLayout.All(DecoderFamilies.Describe(ModelConfig.Load(directory))).Select(p => new TensorToWrite(p.Name, TensorDtype.BF16, [.. p.Shape], stream =>
        {
            for (long left = p.Count * sizeof(ushort); left > 0; left -= row.Length)
                stream.Write(row.AsSpan(0, (int)Math.Min(left, row.Length)));
        }))]);
    }

    /// <returns>MB.</returns>
    private async Task<(double Measured, double Predicted, double Runtime, string Line)> Train(string sections, string adapter, string train, int length, int vocabulary, int steps = 3)
    {
        const int documents = 12;
        Directory.CreateDirectory(worker.In("out", "tokens"));
        int[] ids = [.. Enumerable.Range(0, documents * length).Select(i => i % vocabulary)];
        TokensFile.Write(worker.In("out", "tokens", "train.safetensors"), new TokenDocuments(ids, ids, [.. Enumerable.Range(0, documents + 1).Select(d => (long)d * length)]));
        File.WriteAllText(worker.In("recipe.yaml"), $$"""
            base: { model: model{{(sections.Length == 0 ? "" : ", ")}}{{sections}} }
            dataset: { sources: [{ path: given.safetensors, format: tokens }] }
            template: { packing: false }
            adapter: { {{adapter}} }
            train: { {{train}}{{(train.Length == 0 ? "" : ", ")}}max_steps: {{steps}}, per_device_train_batch_size: 4, gradient_accumulation_steps: 1 }
            export: { gguf: [] }
            """);
        ProcessStartInfo start = new(Path.Combine(AppContext.BaseDirectory, "lorabuild"), ["train", "--recipe", worker.In("recipe.yaml"), "--output", worker.In("out"), "--threads", "2", "--device", "cpu"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        output += await error;
        await process.WaitForExitAsync();
        Match line = PeakLine().Match(output);
        Assert.True(process.ExitCode == 0 && line.Success, output);
        return (Megabytes(line.Groups[1]), Megabytes(line.Groups[2]), Megabytes(line.Groups[3]), line.Value);
    }

    private static double Megabytes(Group text) => double.Parse(text.Value, NumberStyles.AllowThousands | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"peak memory ([0-9,]+) MB, predicted ([0-9,]+) MB .* runtime ([0-9,.]+)\)")]
    private static partial Regex PeakLine();
}
