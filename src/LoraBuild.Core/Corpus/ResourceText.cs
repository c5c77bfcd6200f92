// The localised sentences of a satellite assembly: Korean, among others, that comes with every .NET SDK.
using System.Collections;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Resources;
using System.Text;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Corpus;

/// <summary>Reads the strings of all embedded resources of an assembly without loading it.</summary>
public static class ResourceText
{
    /// <summary>Characters of one text: neighbouring strings (by key) are joined up to this length.</summary>
    private const int TextLength = 2000;

    /// <returns>Texts in the order of resource names and keys (ordinal), one string a line.</returns>
    /// <exception cref="DiagnosticException">LB0121: not a .NET assembly, or its resources cannot be read.</exception>
    public static IEnumerable<string> Read(string path)
    {
        List<string> texts = [];
        StringBuilder text = new();
        try
        {
            using FileStream file = File.OpenRead(path);
            using PEReader image = new(file);
            MetadataReader metadata = image.GetMetadataReader();
            foreach (string value in Strings(image, metadata))
            {
                text.Append(value).Append('\n');
                if (text.Length < TextLength)
                    continue;
                texts.Add(text.ToString());
                text.Clear();
            }
        }
        catch (Exception exception) when (exception is BadImageFormatException or InvalidOperationException or ArgumentException)
        {
            throw new DiagnosticException("LB0121", $"the assembly's resources cannot be read: {exception.Message}", path);
        }

        if (text.Length > 0)
            texts.Add(text.ToString());
        return texts;
    }

    private static IEnumerable<string> Strings(PEReader image, MetadataReader metadata)
    {
        int resourcesAddress = image.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress;
        IEnumerable<ManifestResource> embedded = metadata.ManifestResources
            .Select(metadata.GetManifestResource)
            .Where(resource => resource.Implementation.IsNil)
            .OrderBy(resource => metadata.GetString(resource.Name), StringComparer.Ordinal);
        foreach (ManifestResource resource in embedded)
        {
            if (!metadata.GetString(resource.Name).EndsWith(".resources", StringComparison.Ordinal))
                continue;
            BlobReader blob = image.GetSectionData(resourcesAddress).GetReader((int)resource.Offset, sizeof(int));
            int length = blob.ReadInt32();
            byte[] bytes = image.GetSectionData(resourcesAddress).GetReader((int)resource.Offset + sizeof(int), length).ReadBytes(length);
            foreach (string value in SortedStrings(bytes))
                yield return value;
        }
    }

    private static IEnumerable<string> SortedStrings(byte[] resources)
    {
        using ResourceReader reader = new(new MemoryStream(resources));
        SortedDictionary<string, string> strings = new(StringComparer.Ordinal);
        IDictionaryEnumerator entries = reader.GetEnumerator();
        while (entries.MoveNext())
        {
            // The type is asked first: reading a value of another type would run its deserialiser.
            reader.GetResourceData((string)entries.Key, out string type, out _);
            if (type == "ResourceTypeCode.String" && entries.Value is string value && value.Contains(' ', StringComparison.Ordinal))
                strings[(string)entries.Key] = value.ReplaceLineEndings(" ").Trim();
        }

        return strings.Values;
    }
}
