// Conversion of a random model to each GGUF type, against a plain copy that reads and writes as many bytes.
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.Gguf;
using LoraBuild.Core.IO;
using LoraBuild.Engine.Export;

namespace LoraBuild.Benchmarks;

internal static class ExportBenchmark
{
    private const int Hidden = 2048;
    private const int Intermediate = 5632;
    private const int Vocabulary = 32000;

    /// <param name="megabytes">Size of the model's bf16 weights; as much again is written at most twice.</param>
    /// <param name="directory">Where model and files are made; they are removed again.</param>
    public static void Run(int megabytes, string directory, string[] types, int runs, TextWriter output)
    {
        string root = Path.Combine(Path.GetFullPath(directory), "lorabuild-export-benchmark");
        Directory.CreateDirectory(root);
        try
        {
            string model = Path.Combine(root, "model");
            WriteModel(model, megabytes);
            string weights = Path.Combine(model, "model.safetensors"), file = Path.Combine(root, "x.gguf");
            long read = new FileInfo(weights).Length;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{read / 1e6:N0} MB of bf16 weights, {Environment.ProcessorCount} threads"));
            output.WriteLine("type     written MB  export s  copy s  export MB/s (read + written)  export / copy  peak MB");
            foreach (string type in types)
            {
                List<double> exports = [], copies = [];
                long written = 0, peak = 0;
                for (int run = 0; run < runs; run++)
                {
                    ResetPeak();
                    Stopwatch clock = Stopwatch.StartNew();
                    written = GgufExporter.Export(model, GgufMix.Find(type)!, file).FileBytes;
                    exports.Add(clock.Elapsed.TotalSeconds);
                    peak = Math.Max(peak, Peak());
                    File.Delete(file);
                    clock.Restart();
                    Copy(weights, file, written);
                    copies.Add(clock.Elapsed.TotalSeconds);
                    File.Delete(file);
                }

                double export = Median(exports), copy = Median(copies);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{type,-8} {written / 1e6,10:N0} {export,9:N2} {copy,7:N2} {(read + written) / 1e6 / export,29:N0} {export / copy,14:N2} {peak / 1e6,8:N0}"));
                output.Flush();
            }
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>Processor time of one thread for each type, in memory.</summary>
    public static void Encode(TextWriter output)
    {
        const int Elements = 1 << 20;
        Random random = new(1);
        float[] values = new float[Elements], back = new float[Elements];
        for (int i = 0; i < Elements; i++)
            values[i] = (float)(0.05 * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5));
        byte[] bytes = new byte[4 * Elements];
        output.WriteLine("type    million values/s  rmse");
        foreach (GgmlType type in GgmlTypes.Encodable)
        {
            Span<byte> row = bytes.AsSpan(0, (int)GgmlTypes.RowBytes(type, Elements));
            GgmlBlocks.Encode(type, values, row);
            GgmlBlocks.Encode(type, values, row);
            double start = Environment.CpuUsage.TotalTime.TotalSeconds;
            int rounds = 0;
            while (Environment.CpuUsage.TotalTime.TotalSeconds - start < 0.5)
            {
                GgmlBlocks.Encode(type, values, row);
                rounds++;
            }

            double seconds = Environment.CpuUsage.TotalTime.TotalSeconds - start;
            GgmlBlocks.Decode(type, row, back);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{type,-6} {rounds * (Elements / 1e6) / seconds,17:N0}  {Math.Sqrt(values.Zip(back).Average(p => Math.Pow((double)p.First - p.Second, 2))):g5}"));
        }
    }

    /// <summary>Reads the whole source and writes <paramref name="bytes"/> bytes, flushed to the disk as an export is.</summary>
    private static void Copy(string source, string destination, long bytes)
    {
        using MappedFile file = MappedFile.Open(source);
        byte[] buffer = new byte[1 << 24];
        AtomicFile.Write(destination, stream =>
        {
            long left = bytes;
            for (long at = 0; at < file.Length; at += buffer.Length)
            {
                int count = (int)Math.Min(buffer.Length, file.Length - at);
                file.Span(at, count).CopyTo(buffer);
                file.Forget(at, count);
                // Spread the writes over the whole of the reading, as the export does.
                int write = (int)Math.Min(left, Math.Ceiling(count * ((double)bytes / file.Length)));
                for (int done = 0; done < write; done += buffer.Length)
                    stream.Write(buffer, 0, Math.Min(buffer.Length, write - done));
                left -= write;
            }
        });
    }

    private static void WriteModel(string directory, int megabytes)
    {
        Directory.CreateDirectory(directory);
        const long LayerElements = (2L * Hidden * Hidden) + (2L * Hidden * Hidden / 4) + (3L * Hidden * Intermediate) + (2L * Hidden);
        int layers = (int)Math.Max(1, ((megabytes * 500_000L) - (2L * Vocabulary * Hidden)) / LayerElements);
        JsonObject config = new()
        {
            ["model_type"] = "llama", ["hidden_size"] = Hidden, ["intermediate_size"] = Intermediate, ["num_hidden_layers"] = layers, ["num_attention_heads"] = 32,
            ["num_key_value_heads"] = 8, ["vocab_size"] = Vocabulary, ["tie_word_embeddings"] = false, ["rms_norm_eps"] = 1e-5, ["max_position_embeddings"] = 2048,
        };
        File.WriteAllText(Path.Combine(directory, "config.json"), config.ToJsonString());
        JsonObject vocabulary = [];
        for (int id = 0; id < Vocabulary; id++)
            vocabulary[id.ToString(CultureInfo.InvariantCulture)] = id;
        JsonObject tokenizer = new()
        {
            ["added_tokens"] = new JsonArray(),
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["use_regex"] = true },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = new JsonArray() },
        };
        File.WriteAllText(Path.Combine(directory, "tokenizer.json"), tokenizer.ToJsonString());
        List<TensorToWrite> tensors = [Matrix("model.embed_tokens.weight", Vocabulary, Hidden), Matrix("lm_head.weight", Vocabulary, Hidden), Vector("model.norm.weight")];
        for (int i = 0; i < layers; i++)
        {
            string layer = string.Create(CultureInfo.InvariantCulture, $"model.layers.{i}.");
            foreach (string name in (string[])["q_proj", "o_proj"])
                tensors.Add(Matrix($"{layer}self_attn.{name}.weight", Hidden, Hidden));
            foreach (string name in (string[])["k_proj", "v_proj"])
                tensors.Add(Matrix($"{layer}self_attn.{name}.weight", Hidden / 4, Hidden));
            tensors.Add(Matrix(layer + "mlp.gate_proj.weight", Intermediate, Hidden));
            tensors.Add(Matrix(layer + "mlp.up_proj.weight", Intermediate, Hidden));
            tensors.Add(Matrix(layer + "mlp.down_proj.weight", Hidden, Intermediate));
            tensors.Add(Vector(layer + "input_layernorm.weight"));
            tensors.Add(Vector(layer + "post_attention_layernorm.weight"));
        }

        SafetensorsWriter.Write(Path.Combine(directory, "model.safetensors"), tensors);
    }

    private static TensorToWrite Vector(string name) => Random(name, [Hidden]);

    private static TensorToWrite Matrix(string name, int rows, int columns) => Random(name, [rows, columns]);

    private static TensorToWrite Random(string name, long[] shape) => new(name, TensorDtype.BF16, shape, stream =>
    {
        const int Piece = 1 << 20;
        Random random = new(name.Length);
        float[] values = new float[Piece];
        byte[] bytes = new byte[2 * Piece];
        for (int i = 0; i < Piece; i++)
            values[i] = (float)(0.05 * (random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5));
        FloatConversion.FromFloat32(TensorDtype.BF16, values, bytes);
        long left = 2 * shape.Aggregate(1L, (a, b) => a * b);
        for (; left > 0; left -= bytes.Length)
            stream.Write(bytes, 0, (int)Math.Min(left, bytes.Length));
    });

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>Linux: the highest resident set starts anew.</summary>
    private static void ResetPeak()
    {
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5");
    }

    private static long Peak() => 1024 * long.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
}
