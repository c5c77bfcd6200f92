// Compressed weights on disk, found by what they were made from: a second start maps them instead of making them again, once their checksum is right.
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;

namespace LoraBuild.Engine.Quantization;

/// <summary>One folder a content, <c>DIRECTORY/HASH/model.safetensors</c>, in bitsandbytes' layout. A new content replaces the older ones.</summary>
/// <param name="Directory">Of its own.</param>
/// <param name="BaseIdentity">Stands for the base model's weights: equal where they are equal, such as hashes of its files.</param>
public sealed record QuantizedCache(string Directory, string BaseIdentity)
{
    private const string IdentityKey = "lorabuild.identity";
    private const string ChecksumKey = "lorabuild.crc32c";

    /// <summary>The weights that were written for these settings; null: none, or a damaged file, which is made again.</summary>
    internal ModelFiles? Open(QuantizationOptions options)
    {
        string folder = FolderOf(options);
        if (!ModelFiles.Exist(folder))
            return null;
        try
        {
            ModelFiles files = ModelFiles.Open(folder);
            IReadOnlyDictionary<string, string> told = files.Files[0].Metadata;
            if (told.GetValueOrDefault(IdentityKey) == Identity(options) && told.GetValueOrDefault(ChecksumKey) == Checksum(files))
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
        // Older contents, and what a kill left half written under a name of its own, go first: the disk need not have room for both.
        foreach (string older in System.IO.Directory.Exists(Directory) ? System.IO.Directory.GetDirectories(Directory) : [])
            System.IO.Directory.Delete(older, recursive: true);
        Dictionary<string, string> metadata = new() { ["format"] = "pt", [IdentityKey] = Identity(options), [ChecksumKey] = Checksum(tensors.Select(t => (t.Name, t.WriteBytes))) };
        SafetensorsWriter.Write(Path.Combine(FolderOf(options), ModelFiles.SingleFileName), tensors, metadata);
    }

    /// <summary>Every code is possible, so damaged ones would train and answer without a word. Reading them brings into the page cache what the first step needs anyway.</summary>
    private static string Checksum(ModelFiles files)
    {
        string checksum = Checksum(files.Tensors.Keys.Select(n => (n, (Action<Stream>)(stream => files.FileOf(n).CopyTo(n, stream)))));
        foreach (string name in files.Tensors.Keys)
            files.FileOf(name).Forget(files.Tensors[name], 0, files.Tensors[name].ByteLength);
        return checksum;
    }

    private static string Checksum(IEnumerable<(string Name, Action<Stream> WriteBytes)> tensors)
    {
        Crc32C crc = new();
        using Stream stream = crc.AsStream();
        foreach ((_, Action<Stream> write) in tensors.OrderBy(t => t.Name, StringComparer.Ordinal))
            write(stream);
        return crc.Value.ToString("x8", CultureInfo.InvariantCulture);
    }

    private string FolderOf(QuantizationOptions options) => Path.Combine(Path.GetFullPath(Directory), Identity(options)[..32]);

    private string Identity(QuantizationOptions options) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{BaseIdentity}\n{options.Settings}")));
}
