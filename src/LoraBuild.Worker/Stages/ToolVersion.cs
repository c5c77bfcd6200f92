// The version of the code that decides what stages write: a hash of its sources, put in by the build.
using System.Security.Cryptography;
using System.Text;

namespace LoraBuild.Worker.Stages;

public static class ToolVersion
{
    private static readonly Lazy<string> Value = new(Compute);

    /// <summary>16 hexadecimal digits. Equal for equal sources, wherever and whenever they were compiled.</summary>
    public static string Current => Value.Value;

    private static string Compute()
    {
        using Stream stream = typeof(ToolVersion).Assembly.GetManifestResourceStream("tool-sources.txt")!;
        using StreamReader reader = new(stream);

        // Sorted here: the build lists files in the order in which the file system gives them.
        string[] lines = reader.ReadToEnd().Replace('\\', '/').Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        Array.Sort(lines, StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', lines))))[..16];
    }
}
