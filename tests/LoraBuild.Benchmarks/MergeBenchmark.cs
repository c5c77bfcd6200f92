// Merging an adapter into a large random model: peak memory against its bound, and time against a plain copy of the weights.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Merging;
using LoraBuild.Engine.Training;

namespace LoraBuild.Benchmarks;

internal static class MergeBenchmark
{
    private const int Hidden = 2048;
    private const int Intermediate = 5632;
    private const int Vocabulary = 128_256;
    private const int Rank = 16;

    private static readonly (string Name, int Out, int In)[] Linears =
    [
        ("self_attn.q_proj", Hidden, Hidden), ("self_attn.k_proj", Hidden / 4, Hidden), ("self_attn.v_proj", Hidden / 4, Hidden), ("self_attn.o_proj", Hidden, Hidden),
        ("mlp.gate_proj", Intermediate, Hidden), ("mlp.up_proj", Intermediate, Hidden), ("mlp.down_proj", Hidden, Intermediate),
    ];

    /// <param name="megabytes">Size of the model's bf16 weights; as much again is written.</param>
    /// <param name="directory">Where model and merge are made; they are removed again.</param>
    /// <returns>0, or 1 where the peak exceeds twice the largest tensor plus 500 MB.</returns>
    public static int Run(int megabytes, string directory, TextWriter output)
    {
        string root = Path.Combine(Path.GetFullPath(directory), "lorabuild-merge-benchmark");
        string model = Path.Combine(root, "model"), merged = Path.Combine(root, "merged"), copy = Path.Combine(root, "copy");
        try
        {
            long largest = WriteModel(model, megabytes, out int layers);
            bool isWithin = true;
            output.WriteLine("| adapter | to | weights MB | merge s | copy s | peak MB | allowed MB |");
            output.WriteLine("|---|---|---|---|---|---|---|");
            foreach ((string name, bool useDora, TensorDtype? dtype) in new (string, bool, TensorDtype?)[] { ("LoRA on all seven", false, null), ("DoRA on all seven", true, null), ("LoRA on all seven", false, TensorDtype.F32) })
            {
                string adapter = Path.Combine(root, "adapter");
                WriteAdapter(adapter, layers, useDora);
                GC.Collect();
                File.WriteAllText("/proc/self/clear_refs", "5"); // proc(5): the peak starts anew
                Stopwatch clock = Stopwatch.StartNew();
                MergeReport report = AdapterMerger.Merge(model, adapter, merged, new MergeOptions { Dtype = dtype, MaxShardSize = 1_000_000_000 });
                double seconds = clock.Elapsed.TotalSeconds;
                long peak = ProcessMemory.PeakBytes();
                Directory.Delete(merged, recursive: true);
                clock.Restart();
                Copy(model, copy);
                double copying = clock.Elapsed.TotalSeconds;
                Directory.Delete(copy, recursive: true);
                long allowed = (2 * largest) + 500_000_000;
                isWithin &= peak <= allowed;
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {dtype?.ToString() ?? "as stored"} | {report.TotalBytes / 1e6:N0} | {seconds:F1} | {copying:F1} | {peak / 1e6:N0} | {allowed / 1e6:N0} |"));
            }

            return isWithin ? 0 : 1;
        }
        finally
        {
            if (Directory.Exists(root))
                Directory.Delete(root, recursive: true);
        }
    }

    /// <returns>Bytes of the largest tensor.</returns>
    private static long WriteModel(string directory, int megabytes, out int layers)
    {
        long layerBytes = 2 * Linears.Sum(l => (long)l.Out * l.In);
        long embeddingBytes = 2L * Vocabulary * Hidden;
        layers = (int)Math.Max(1, ((megabytes * 1_000_000L) - embeddingBytes) / layerBytes);
        Directory.CreateDirectory(directory);
        File.WriteAllText(Path.Combine(directory, "config.json"), new JsonObject
        {
            ["model_type"] = "llama", ["hidden_size"] = Hidden, ["intermediate_size"] = Intermediate, ["num_hidden_layers"] = layers, ["num_attention_heads"] = 32,
            ["num_key_value_heads"] = 8, ["vocab_size"] = Vocabulary, ["tie_word_embeddings"] = true, ["dtype"] = "bfloat16",
        }.ToJsonString());
        List<TensorToWrite> tensors = [Random(TensorDtype.BF16, "model.embed_tokens.weight", Vocabulary, Hidden), Random(TensorDtype.BF16, "model.norm.weight", Hidden)];
        for (int i = 0; i < layers; i++)
        {
            tensors.AddRange(Linears.Select(l => Random(TensorDtype.BF16, $"{Layer(i)}.{l.Name}.weight", l.Out, l.In)));
            tensors.AddRange(new[] { "input_layernorm", "post_attention_layernorm" }.Select(n => Random(TensorDtype.BF16, $"{Layer(i)}.{n}.weight", Hidden)));
        }

        ShardLayout.Write(directory, tensors, 1_000_000_000);
        return embeddingBytes;
    }

    private static void WriteAdapter(string directory, int layers, bool useDora)
    {
        List<TensorToWrite> tensors = [];
        for (int i = 0; i < layers; i++)
        {
            foreach ((string name, int rows, int columns) in Linears)
            {
                string module = $"{Layer(i)}.{name}";
                tensors.Add(Random(TensorDtype.F32, PeftAdapterFiles.KeyOfA(module), Rank, columns));
                tensors.Add(Random(TensorDtype.F32, PeftAdapterFiles.KeyOfB(module), rows, Rank));
                if (useDora)
                    tensors.Add(Random(TensorDtype.F32, PeftAdapterFiles.KeyOfMagnitude(module), rows));
            }
        }

        Directory.CreateDirectory(directory);
        PeftAdapterFiles.Write(directory, new PeftAdapterConfig { R = Rank, LoraAlpha = Rank, UseDora = useDora, TargetModules = [.. Linears.Select(l => l.Name[(l.Name.IndexOf('.', StringComparison.Ordinal) + 1)..])] }, tensors);
    }

    private static string Layer(int number) => string.Create(CultureInfo.InvariantCulture, $"model.layers.{number}");

    /// <summary>Small values from the name, piece by piece.</summary>
    private static TensorToWrite Random(TensorDtype dtype, string name, params long[] shape) => new(name, dtype, shape, stream =>
    {
        const int Piece = 1 << 20;
        Random random = new(name.Length);
        float[] values = new float[Piece];
        for (int i = 0; i < Piece; i++)
            values[i] = (float)(0.05 * (random.NextDouble() - 0.5));
        byte[] bytes = new byte[Piece * dtype.ByteSize()];
        FloatConversion.FromFloat32(dtype, values, bytes);
        for (long left = shape.Aggregate(1L, (a, b) => a * b); left > 0; left -= Piece)
            stream.Write(bytes, 0, (int)Math.Min(Piece, left) * dtype.ByteSize());
    });

    /// <summary>What has to be done at least: every byte read and written, flushed as the merge flushes.</summary>
    private static void Copy(string source, string destination)
    {
        Directory.CreateDirectory(destination);
        byte[] buffer = new byte[1 << 22];
        foreach (string file in Directory.GetFiles(source, "*.safetensors"))
        {
            using FileStream from = File.OpenRead(file);
            using FileStream to = File.Create(Path.Combine(destination, Path.GetFileName(file)));
            for (int read = from.Read(buffer); read > 0; read = from.Read(buffer))
                to.Write(buffer, 0, read);
            to.Flush(flushToDisk: true);
        }
    }
}
