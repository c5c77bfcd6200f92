// The recipes that are shipped inside the program and are named `preset:NAME`. Sources: pipelines/presets/*.yaml.
using System.Reflection;
using System.Text;

namespace LoraBuild.Core.Recipes;

/// <summary>Recipes to build on that need no file.</summary>
public static class RecipePresets
{
    // Embedded, so that a preset is the same wherever the program stands.
    private const string ResourcePrefix = "presets/";
    private const string ResourceSuffix = ".yaml";

    public static IReadOnlyList<string> Names { get; } =
    [
        .. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Select(n => n[ResourcePrefix.Length..^ResourceSuffix.Length])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>The preset's YAML, or null when there is none of that name.</summary>
    public static string? Find(string name)
    {
        using Stream? stream = Names.Contains(name) ? Assembly.GetExecutingAssembly().GetManifestResourceStream(ResourcePrefix + name + ResourceSuffix) : null;
        if (stream is null)
            return null;
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
