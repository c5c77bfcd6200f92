// SHA-256 of files; large ones are hashed once and remembered by path, size and time stamp.
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using LoraBuild.Core.IO;

namespace LoraBuild.Worker.Stages;

/// <param name="cacheFile">Where hashes of large files are remembered. A missing or damaged one only costs time.</param>
public sealed class ContentHasher(string cacheFile)
{
    /// <summary>Smaller files are read every time: that is cheaper than a wrong answer after an edit within the clock's grain.</summary>
    private const long RememberedFromBytes = 1 << 20;

    private readonly SortedDictionary<string, Entry> remembered = Load(cacheFile);
    private bool isDirty;

    private sealed record Entry(long Size, long Ticks, string Sha256);

    /// <returns>Lower-case hexadecimal SHA-256 of the file's bytes.</returns>
    public string Hash(string path)
    {
        FileInfo info = new(path);
        if (info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
            info = target;
        if (info.Length < RememberedFromBytes)
            return Compute(path);

        string key = info.FullName;
        if (remembered.TryGetValue(key, out Entry? entry) && entry.Size == info.Length && entry.Ticks == info.LastWriteTimeUtc.Ticks)
            return entry.Sha256;
        string hash = Compute(path);
        remembered[key] = new Entry(info.Length, info.LastWriteTimeUtc.Ticks, hash);
        isDirty = true;
        return hash;
    }

    /// <summary>Writes what was learned; files that are gone are forgotten.</summary>
    public void Save()
    {
        if (!isDirty)
            return;
        JsonObject json = [];
        foreach ((string path, Entry entry) in remembered)
        {
            if (File.Exists(path))
                json[path] = string.Create(CultureInfo.InvariantCulture, $"{entry.Size} {entry.Ticks} {entry.Sha256}");
        }

        AtomicFile.WriteAllText(cacheFile, json.ToJsonString(StageManifest.Json) + "\n");
        isDirty = false;
    }

    private static string Compute(string path)
    {
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20, FileOptions.SequentialScan);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static SortedDictionary<string, Entry> Load(string cacheFile)
    {
        SortedDictionary<string, Entry> entries = new(StringComparer.Ordinal);
        if (!File.Exists(cacheFile))
            return entries;
        try
        {
            foreach ((string path, JsonNode? node) in JsonNode.Parse(File.ReadAllText(cacheFile))!.AsObject())
            {
                string[] parts = node!.GetValue<string>().Split(' ');
                if (parts.Length == 3 && long.TryParse(parts[0], CultureInfo.InvariantCulture, out long size) && long.TryParse(parts[1], CultureInfo.InvariantCulture, out long ticks))
                    entries[path] = new Entry(size, ticks, parts[2]);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException)
        {
            // Only a cache: what cannot be read is computed again.
            entries.Clear();
        }

        return entries;
    }
}
