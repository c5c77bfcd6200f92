// The golden GGUF models: their weights are a formula, written out here as safetensors.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Tests.Export;

internal static class GgufModels
{
    /// <summary>Every model folder there is: a new one is compared without being listed anywhere.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.GetDirectories(Folder("")).Where(d => File.Exists(Path.Combine(d, "expected-tensors.json"))).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    public static string Folder(string name) => Path.Combine(Golden.Root, "gguf", name);

    public static JsonNode Json(string name, string file) => JsonNode.Parse(File.ReadAllText(Path.Combine(Folder(name), file)))!;

    /// <summary>A copy of the model directory with its model.safetensors.</summary>
    /// <param name="storedName">Another layout of the names.</param>
    /// <param name="more">Tensors that stand there besides.</param>
    public static TemporaryDirectory Materialise(string name, Func<string, string>? storedName = null, params TensorToWrite[] more)
    {
        TemporaryDirectory copy = new();
        foreach (string file in Directory.GetFiles(Folder(name)).Where(f => !Path.GetFileName(f).StartsWith("expected-", StringComparison.Ordinal) && Path.GetFileName(f) != "weights.json"))
            File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
        JsonNode weights = Json(name, "weights.json");
        TensorDtype dtype = Enum.Parse<TensorDtype>((string)weights["dtype"]!);
        List<TensorToWrite> tensors = [.. more];
        foreach (JsonNode? tensor in weights["tensors"]!.AsArray())
        {
            long[] shape = [.. tensor!["shape"]!.AsArray().Select(n => (long)n!)];
            byte[] bytes = Values((string)tensor["name"]!, shape.Aggregate(1L, (a, b) => a * b), (ulong)(long)weights["seed"]!, (double)tensor["base"]!, (double)tensor["scale"]!, dtype);
            Assert.Equal((string)tensor["sha256"]!, Sha256(bytes));
            string stored = (string)tensor["name"]!;
            tensors.Add(TensorToWrite.FromBytes(storedName?.Invoke(stored) ?? stored, dtype, shape, bytes));
        }

        SafetensorsWriter.Write(Path.Combine(copy.Path, "model.safetensors"), tensors);
        return copy;
    }

    public static string Sha256(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    /// <summary>golden/gguf README, "models": a hash of name, seed and index, scaled.</summary>
    public static float[] Formula(string name, long count, ulong seed, double center, double scale)
    {
        const ulong Golden64 = 0x9E3779B97F4A7C15;
        ulong hash = 0xCBF29CE484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name))
            hash = (hash ^ b) * 0x100000001B3;
        ulong key = hash ^ (seed * Golden64);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            ulong z = key + ((ulong)(i + 1) * Golden64);
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            double u = (z >> 40) / 16777216.0;
            values[i] = (float)(center + (scale * ((2 * u) - 1)));
        }

        return values;
    }

    private static byte[] Values(string name, long count, ulong seed, double center, double scale, TensorDtype dtype)
    {
        byte[] bytes = new byte[count * dtype.ByteSize()];
        FloatConversion.FromFloat32(dtype, Formula(name, count, seed, center, scale), bytes);
        return bytes;
    }
}
