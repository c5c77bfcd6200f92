// The weights of a model directory: one safetensors file, or shards with an index.
using System.Text.Json.Nodes;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Formats;

/// <summary>All tensors of a model directory, whichever file holds them. Every shard is opened and checked at once.</summary>
public sealed class ModelFiles : IDisposable
{
    public const string SingleFileName = "model.safetensors";
    public const string IndexFileName = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> files;
    private readonly Dictionary<string, SafetensorsFile> fileOfTensor;

    private ModelFiles(string directory, List<SafetensorsFile> files, Dictionary<string, SafetensorsFile> fileOfTensor)
    {
        Directory = directory;
        this.files = files;
        this.fileOfTensor = fileOfTensor;
        SortedDictionary<string, TensorEntry> tensors = new(StringComparer.Ordinal);
        foreach ((string name, SafetensorsFile file) in fileOfTensor)
            tensors.Add(name, file.Tensors[name]);
        Tensors = tensors;
    }

    public string Directory { get; }

    /// <summary>By name, in ordinal order. A tied <c>lm_head.weight</c> is usually absent.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>In ordinal order of their names.</summary>
    public IReadOnlyList<SafetensorsFile> Files => files;

    public static bool Exist(string directory) =>
        File.Exists(Path.Combine(directory, SingleFileName)) || File.Exists(Path.Combine(directory, IndexFileName));

    /// <exception cref="DiagnosticException">LB0406 no weights; LB0407 bad index; LB0408 missing shard; LB0409 a tensor is not where the index says; LB0400–LB0403 a damaged file.</exception>
    public static ModelFiles Open(string modelDirectory)
    {
        string directory = Path.GetFullPath(modelDirectory);
        string single = Path.Combine(directory, SingleFileName);
        string index = Path.Combine(directory, IndexFileName);
        if (File.Exists(single))
        {
            SafetensorsFile file = SafetensorsFile.Open(single);
            return new ModelFiles(directory, [file], file.Tensors.Keys.ToDictionary(n => n, _ => file));
        }

        if (!File.Exists(index))
            throw new DiagnosticException("LB0406", $"the directory has no weights: neither {SingleFileName} nor {IndexFileName} exists. Only safetensors are read (pickle files run code when they are loaded)", directory);
        return OpenSharded(directory, index);
    }

    /// <exception cref="DiagnosticException">LB0404: no file has such a tensor.</exception>
    public SafetensorsFile FileOf(string name) =>
        fileOfTensor.TryGetValue(name, out SafetensorsFile? file)
            ? file
            : throw new DiagnosticException("LB0404", $"the model has no tensor '{name}'; it has {NameList.Text(Tensors.Keys)}", Directory);

    public float[] ReadFloat32(string name) => FileOf(name).ReadFloat32(name);

    public void Dispose() => files.ForEach(f => f.Dispose());

    private static ModelFiles OpenSharded(string directory, string index)
    {
        SortedDictionary<string, List<string>> tensorsOfShard = ReadIndex(directory, index);
        List<SafetensorsFile> files = [];
        Dictionary<string, SafetensorsFile> fileOfTensor = [];
        try
        {
            foreach ((string shard, List<string> names) in tensorsOfShard)
            {
                string path = Path.Combine(directory, shard);
                if (!File.Exists(path))
                    throw new DiagnosticException("LB0408", $"the shard {shard} does not exist, but the index lists {names.Count} tensors in it ({NameList.Text(names, 3)}); fetch it again", index);
                SafetensorsFile file = SafetensorsFile.Open(path);
                files.Add(file);
                List<string> absent = names.FindAll(n => !file.Tensors.ContainsKey(n));
                if (absent.Count > 0)
                    throw new DiagnosticException("LB0409", $"the index lists tensors that this shard does not hold: {NameList.Text(absent)}", path);
                foreach (string name in names)
                    fileOfTensor.Add(name, file);
            }

            return new ModelFiles(directory, files, fileOfTensor);
        }
        catch
        {
            files.ForEach(f => f.Dispose());
            throw;
        }
    }

    /// <summary>The files that an index names, sorted. Each is a plain file name.</summary>
    /// <exception cref="DiagnosticException">LB0407: the index is damaged or names a file elsewhere.</exception>
    public static IReadOnlyList<string> ShardNames(string indexFile) => [.. ReadIndex(Path.GetDirectoryName(indexFile)!, indexFile).Keys];

    private static SortedDictionary<string, List<string>> ReadIndex(string directory, string index)
    {
        JsonObject root = JsonFile.ReadObject(index, "LB0407", "it names the shard of every tensor", JsonFile.IndexBytes);
        if (root["weight_map"] is not JsonObject map || map.Count == 0)
            throw new DiagnosticException("LB0407", "the index has no 'weight_map' object with tensor names and file names", index);
        SortedDictionary<string, List<string>> tensorsOfShard = new(StringComparer.Ordinal);
        foreach ((string name, JsonNode? value) in map)
        {
            string? shard = value is JsonValue v && v.TryGetValue(out string? text) ? text : null;
            if (string.IsNullOrEmpty(shard))
                throw new DiagnosticException("LB0407", $"weight_map['{name}'] must be a file name", index);
            // A shard stands beside its index: no folders, no way out of the directory, and not the index itself.
            if (shard != Path.GetFileName(shard) || shard.Contains('\\') || shard.Contains('\0') || shard is "." or ".." || !shard.EndsWith(".safetensors", StringComparison.Ordinal))
                throw new DiagnosticException("LB0407", $"weight_map['{name}'] is '{shard}'; a *.safetensors file in {directory} is needed", index);
            if (!tensorsOfShard.TryGetValue(shard, out List<string>? names))
                tensorsOfShard.Add(shard, names = []);
            names.Add(name);
        }

        return tensorsOfShard;
    }
}
