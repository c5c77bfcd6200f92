// Replaces a directory as a whole: under its final name stands the old content or the new one, never a mixture.
namespace LoraBuild.Engine.Training;

public static class ReplaceDirectory
{
    /// <summary>
    /// <paramref name="write"/> fills a hidden directory beside <paramref name="path"/>, which then takes its name. Files must be flushed by who
    /// writes them. A kill between the two renames leaves no directory of that name, which is never taken for a finished one.
    /// </summary>
    public static void Write(string path, Action<string> write)
    {
        string fullPath = Path.GetFullPath(path);
        string parent = Path.GetDirectoryName(fullPath)!;
        string temporary = Path.Combine(parent, $".{Path.GetFileName(fullPath)}.tmp");
        string old = Path.Combine(parent, $".{Path.GetFileName(fullPath)}.old");
        Remove(temporary);
        Remove(old);
        Directory.CreateDirectory(temporary);
        try
        {
            write(temporary);
        }
        catch
        {
            Remove(temporary);
            throw;
        }

        if (Directory.Exists(fullPath))
            Directory.Move(fullPath, old);
        Directory.Move(temporary, fullPath);
        Remove(old);
    }

    private static void Remove(string directory)
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }
}
