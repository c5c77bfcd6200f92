// Base model + trained weights → a complete Hugging Face directory, streamed tensor by tensor.
using System.Text.Json.Nodes;
using LoraBuild.Core.Cards;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Merging;

/// <summary>Merged: W + s·B·A, with DoRA (m/n) ⊙ (W + s·B·A), n the row norms; in fp32, rounded once to the stored type.</summary>
public static class AdapterMerger
{
    private static readonly string[] WeightEndings = [".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".gguf", ".ot"];

    /// <summary>
    /// Writes <paramref name="outputDirectory"/>; an older merge there is replaced as a whole. <paramref name="trainedDirectory"/> is a PEFT LoRA adapter,
    /// or the weights of a full fine-tuning (safetensors without adapter_config.json). All other files of the model are carried over.
    /// </summary>
    /// <exception cref="DiagnosticException">LB0701–LB0703; LB04xx for damaged or unsupported input.</exception>
    public static MergeReport Merge(string modelDirectory, string trainedDirectory, string outputDirectory, MergeOptions? options = null)
    {
        options ??= new MergeOptions();
        string model = Path.GetFullPath(modelDirectory), trained = Path.GetFullPath(trainedDirectory), output = Path.GetFullPath(outputDirectory);
        CheckOutput(model, trained, output);
        ModelConfig config = ModelConfig.Load(model);
        using ModelFiles files = ModelFiles.Open(model);
        bool isAdapter = File.Exists(Path.Combine(trained, PeftAdapterConfig.FileName)) || !ModelFiles.Exist(trained);
        using PeftAdapterFiles? adapter = isAdapter ? PeftAdapterFiles.Read(trained) : null;
        using ModelFiles? weights = isAdapter ? null : ModelFiles.Open(trained);
        MergeBase mergeBase = new(files, config, options.Dequantized);
        MergePlan plan = adapter is not null ? MergePlan.OfAdapter(mergeBase, config, adapter, options) : MergePlan.OfFullFineTuning(mergeBase, config, weights!, options);

        int shards = 0;
        ReplaceDirectory.Write(output, directory =>
        {
            shards = ShardLayout.Write(directory, [.. plan.Tensors.Select(t => (t with { Threads = options.Threads }).ToWrite())], options.MaxShardSize);
            CarryOver(model, directory);
            WriteConfig(config, directory, options.Dtype, plan.IsHeadUntied, mergeBase.IsQuantised);
        });
        return new MergeReport(
            plan.Tensors.Count(t => t.Pair is not null),
            plan.Tensors.Count(t => t.IsReplaced),
            plan.Tensors.Count,
            plan.Tensors.Sum(t => t.ByteLength),
            shards,
            plan.IsHeadUntied,
            mergeBase.IsQuantised);
    }

    /// <summary>The output is replaced as a whole, so it must not be, or hold, anything else.</summary>
    private static void CheckOutput(string model, string trained, string output)
    {
        foreach (string input in (string[])[model, trained])
        {
            if ((input + Path.DirectorySeparatorChar).StartsWith(output.TrimEnd(Path.DirectorySeparatorChar) + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                throw new DiagnosticException("LB0703", $"the merged model cannot be written to {output}: its input {input} lies there; choose another directory", output);
        }

        if (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any() && !File.Exists(Path.Combine(output, "config.json"))))
            throw new DiagnosticException("LB0703", "the output exists and is not a model directory (it has no config.json); it would be deleted. Choose another directory or empty it", output);
    }

    /// <summary>All but the weights, and the base model's card: what it says is not true of this model.</summary>
    private static void CarryOver(string model, string directory)
    {
        foreach (string file in Directory.GetFiles(model).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (name is not ("config.json" or "stage.json" or ModelCard.FileName) && !name.StartsWith('.') && !Array.Exists(WeightEndings, e => name.EndsWith(e, StringComparison.Ordinal)))
                AtomicFile.Write(Path.Combine(directory, name), stream => CopyFile(file, stream));
        }
    }

    private static void CopyFile(string file, Stream destination)
    {
        using FileStream source = File.OpenRead(file);
        source.CopyTo(destination);
    }

    private static void WriteConfig(ModelConfig config, string directory, TensorDtype? dtype, bool isHeadUntied, bool wasQuantised)
    {
        string path = Path.Combine(directory, "config.json");
        if (dtype is null && !isHeadUntied && !wasQuantised)
        {
            AtomicFile.WriteAllBytes(path, File.ReadAllBytes(config.FilePath));
            return;
        }

        JsonObject root = config.Raw.DeepClone().AsObject();
        foreach (JsonObject? part in (JsonObject?[])[root, root["text_config"] as JsonObject])
        {
            if (part is null)
                continue;
            if (dtype is TensorDtype type)
            {
                foreach (string key in (string[])["dtype", "torch_dtype"])
                {
                    if (part.ContainsKey(key))
                        part[key] = type.TorchName();
                }

                if (part == root && !root.ContainsKey("dtype") && !root.ContainsKey("torch_dtype"))
                    root["dtype"] = type.TorchName();
            }

            if (wasQuantised)
                part.Remove("quantization_config"); // the merged weights are plain tensors
            if (isHeadUntied && (part == root || part.ContainsKey("tie_word_embeddings")))
                part["tie_word_embeddings"] = false;
        }

        AtomicFile.WriteAllText(path, root.ToJsonString(JsonFile.Indented) + "\n");
    }
}
