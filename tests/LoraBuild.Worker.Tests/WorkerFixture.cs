// The program in this process: arguments and standard input in, both outputs and the exit code back.
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Core.Formats.BitsAndBytes;
using LoraBuild.Worker.Hosting;

namespace LoraBuild.Worker.Tests;

internal sealed record Outcome(int ExitCode, string Output, string Error)
{
    public IReadOnlyList<JsonNode> Lines => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
}

internal sealed class WorkerFixture : IDisposable
{
    private static readonly string Repository = typeof(WorkerFixture).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!;

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("lorabuild-worker-").FullName;

    /// <summary>The environment that the program sees.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    /// <summary>The byte-level tokenizer with a ChatML template of the end-to-end tests.</summary>
    public static string Tokenizer => Path.Combine(Repository, "tests", "LoraBuild.EndToEnd.Tests", "fixtures", "tiny-model");

    public string In(params string[] parts) => Path.Combine([Directory, .. parts]);

    public Outcome Run(string input, params string[] arguments)
    {
        using MemoryStream output = new();
        using StringWriter error = new();
        using CancellationTokenSource cancellation = new();
        using MemoryStream standardInput = new(Encoding.UTF8.GetBytes(input));
        WorkerHost host = new(standardInput, output, error, name => Variables.GetValueOrDefault(name), Directory, IsTerminal: false);
        int exitCode = CommandLine.Run(arguments, host, cancellation);
        return new Outcome(exitCode, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    /// <summary>A directory with the tiny model: one layer, weights from a fixed seed.</summary>
    public string Model()
    {
        string directory = In("model");
        System.IO.Directory.CreateDirectory(directory);
        foreach (string file in System.IO.Directory.EnumerateFiles(Tokenizer))
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
        string config = Path.Combine(directory, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", StringComparison.Ordinal));
        Random random = new(3);
        (string Name, long[] Shape)[] shapes =
        [
            ("model.embed_tokens.weight", [272, 32]), ("model.norm.weight", [32]),
            ("model.layers.0.input_layernorm.weight", [32]), ("model.layers.0.post_attention_layernorm.weight", [32]),
            ("model.layers.0.self_attn.q_proj.weight", [32, 32]), ("model.layers.0.self_attn.k_proj.weight", [16, 32]),
            ("model.layers.0.self_attn.v_proj.weight", [16, 32]), ("model.layers.0.self_attn.o_proj.weight", [32, 32]),
            ("model.layers.0.mlp.gate_proj.weight", [64, 32]), ("model.layers.0.mlp.up_proj.weight", [64, 32]), ("model.layers.0.mlp.down_proj.weight", [32, 64]),
        ];
        SafetensorsWriter.Write(Path.Combine(directory, "model.safetensors"), [.. shapes.Select(s => TensorToWrite.FromFloat32(
            s.Name, s.Shape, Enumerable.Range(0, (int)s.Shape.Aggregate(1L, (a, b) => a * b)).Select(_ => s.Shape.Length == 1 ? 1f : (float)(random.NextDouble() - 0.5) * 0.3f).ToArray()))]);
        return directory;
    }

    /// <summary>The model's weights in bf16, as most are published.</summary>
    public void StoreNarrow()
    {
        string model = In("model", "model.safetensors"), narrow = In("narrow.safetensors");
        using (SafetensorsFile wide = SafetensorsFile.Open(model))
        {
            SafetensorsWriter.Write(narrow, [.. wide.Tensors.Values.Select(t =>
            {
                byte[] bytes = new byte[t.ElementCount * 2];
                FloatConversion.FromFloat32(TensorDtype.BF16, wide.ReadFloat32(t.Name), bytes);
                return TensorToWrite.FromBytes(t.Name, TensorDtype.BF16, t.Shape, bytes);
            })]);
        }

        File.Move(narrow, model, overwrite: true);
    }

    /// <summary>Makes of the tiny model one whose linear weights are stored in bitsandbytes' NF4.</summary>
    public void StoreQuantized()
    {
        string path = In("model", ModelFiles.SingleFileName);
        List<TensorToWrite> tensors = [];
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            foreach ((string name, TensorEntry entry) in file.Tensors)
            {
                float[] values = file.ReadFloat32(name);
                tensors.AddRange(name.EndsWith("_proj.weight", StringComparison.Ordinal)
                    ? PackedArrays.Encode(WeightCode.Nf4, values, entry.Shape, 64, true).ToWrite(name, TensorDtype.BF16)
                    : [TensorToWrite.FromFloat32(name, entry.Shape, values)]);
            }
        }

        SafetensorsWriter.Write(path, tensors);
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
