// Module paths of adapters that were trained under another layout of the same model.
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Adapters;

internal static class ModulePaths
{
    /// <summary>The path that the module has here: libraries before transformers 4.52 knew multimodal models by their files' names.</summary>
    /// <param name="path">A module's path or the name of a weight in it.</param>
    public static string Resolve(DecoderSpec spec, string path)
    {
        if (path.StartsWith("language_model.lm_head", StringComparison.Ordinal) && spec.FilePrefixes.Count > 1)
            return path["language_model.".Length..];
        string? prefix = spec.FilePrefixes.FirstOrDefault(p => path.StartsWith(p + '.', StringComparison.Ordinal));
        return prefix is null ? path : spec.ModulePrefix + path[prefix.Length..];
    }
}
