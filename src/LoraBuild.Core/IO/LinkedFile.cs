// The files of a Hugging Face snapshot are symbolic links: what FileInfo says of them is about the link.
namespace LoraBuild.Core.IO;

public static class LinkedFile
{
    /// <summary>The bytes of the file that a path leads to; null where it, or what it links to, is not there.</summary>
    public static long? Length(string path)
    {
        FileInfo info = new(path);
        if (info.LinkTarget is not null)
            info = (FileInfo)info.ResolveLinkTarget(returnFinalTarget: true)!;
        return info.Exists ? info.Length : null;
    }
}
