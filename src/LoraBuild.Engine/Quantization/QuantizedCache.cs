// Compressed weights on disk, found by what they were made from: a second start maps them instead of making them again.
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Quantization;

/// <summary>One folder a content, <c>DIRECTORY/HASH/model.safetensors</c>, in bitsandbytes' layout. A new content replaces the older ones.</summary>
/// <param name="Directory">Of its own.</param>
/// <param name="BaseIdentity">Stands for the base model's weights: equal where they are equal, such as hashes of its files.</param>
public sealed record QuantizedCache(string Directory, string BaseIdentity)
{
    private const string IdentityKey = "lorabuild.identity";

    /// <summary>The weights that were written for these settings; null: none, or a damaged file, which is made again.</summary>
    internal ModelFiles? Open(QuantizationOptions options)
    {
        string folder = FolderOf(options);
        if (!ModelFiles.Exist(folder))
            return null;
        try
        {
            ModelFiles files = ModelFiles.Open(folder);
            if (files.Files[0].Metadata.GetValueOrDefault(IdentityKey) == Identity(options))
                return files;
            files.Dispose();
        }
        catch (DiagnosticException)
        {
            // A damaged file: nothing is lost by writing it again.
        }

        return null;
    }

    /// <summary>Writes the weights; the file gets its name when it is complete.</summary>
    internal void Write(QuantizationOptions options, IReadOnlyList<TensorToWrite> tensors)
    {
        string folder = FolderOf(options);
        SafetensorsWriter.Write(Path.Combine(folder, ModelFiles.SingleFileName), tensors, new Dictionary<string, string> { ["format"] = "pt", [IdentityKey] = Identity(options) });
        foreach (string other in System.IO.Directory.GetDirectories(Directory).Where(d => d != folder))
            System.IO.Directory.Delete(other, recursive: true);
    }

    private string FolderOf(QuantizationOptions options) => Path.Combine(Path.GetFullPath(Directory), Identity(options)[..32]);

    private string Identity(QuantizationOptions options) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{BaseIdentity}\n{options.Settings}")));
}
