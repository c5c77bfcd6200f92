// A base model small enough for a test: a byte-level tokenizer with ChatML and random weights from a fixed seed.
using LoraBuild.Core.Formats;

namespace LoraBuild.EndToEnd.Tests;

internal static class TinyModel
{
    private const int Vocab = 272, Hidden = 32, Intermediate = 64, Layers = 2, KeyValue = 16;

    /// <summary>Copies fixtures/tiny-model and adds model.safetensors.</summary>
    public static void Write(string directory)
    {
        Directory.CreateDirectory(directory);
        foreach (string file in Directory.EnumerateFiles(Repository.In("tests", "LoraBuild.EndToEnd.Tests", "fixtures", "tiny-model")))
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
        Random random = new(7);
        List<TensorToWrite> tensors = [Matrix("model.embed_tokens.weight", Vocab, Hidden), Ones("model.norm.weight")];
        for (int i = 0; i < Layers; i++)
        {
            string layer = $"model.layers.{i}.";
            tensors.AddRange([
                Ones(layer + "input_layernorm.weight"),
                Ones(layer + "post_attention_layernorm.weight"),
                Matrix(layer + "self_attn.q_proj.weight", Hidden, Hidden),
                Matrix(layer + "self_attn.k_proj.weight", KeyValue, Hidden),
                Matrix(layer + "self_attn.v_proj.weight", KeyValue, Hidden),
                Matrix(layer + "self_attn.o_proj.weight", Hidden, Hidden),
                Matrix(layer + "mlp.gate_proj.weight", Intermediate, Hidden),
                Matrix(layer + "mlp.up_proj.weight", Intermediate, Hidden),
                Matrix(layer + "mlp.down_proj.weight", Hidden, Intermediate),
            ]);
        }

        SafetensorsWriter.Write(Path.Combine(directory, "model.safetensors"), tensors, new Dictionary<string, string> { ["format"] = "pt" });

        TensorToWrite Matrix(string name, int rows, int columns) =>
            TensorToWrite.FromFloat32(name, [rows, columns], Enumerable.Range(0, rows * columns).Select(_ => (float)((random.NextDouble() - 0.5) * 0.2)).ToArray());

        static TensorToWrite Ones(string name) => TensorToWrite.FromFloat32(name, [Hidden], Enumerable.Repeat(1f, Hidden).ToArray());
    }
}
