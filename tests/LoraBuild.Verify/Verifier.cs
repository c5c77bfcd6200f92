// Compares a text with the snapshot that stands beside the test, as Verify.Xunit does for a string.
using System.Runtime.CompilerServices;
using Xunit.Sdk;

namespace VerifyXunit;

public static class Verifier
{
    /// <summary>Holds that <paramref name="target"/> equals <c>CLASS.METHOD.verified.txt</c> beside the test's source file.</summary>
    /// <remarks>The class is taken to have its file's name. On a difference the text is kept as <c>.received.txt</c>: rename it when it is right.</remarks>
    /// <exception cref="XunitException">The texts differ, or there is no snapshot yet.</exception>
    public static async Task Verify(string target, [CallerFilePath] string sourceFile = "", [CallerMemberName] string method = "")
    {
        string stem = Path.Combine(Path.GetDirectoryName(sourceFile)!, $"{Path.GetFileNameWithoutExtension(sourceFile)}.{method}");
        string verifiedFile = stem + ".verified.txt";
        string receivedFile = stem + ".received.txt";
        string received = Normalised(target);
        string? verified = File.Exists(verifiedFile) ? Normalised(await File.ReadAllTextAsync(verifiedFile)) : null;
        if (received == verified)
        {
            File.Delete(receivedFile);
            return;
        }

        await File.WriteAllTextAsync(receivedFile, received);
        throw new XunitException(verified is null
            ? $"There is no snapshot {verifiedFile}. Received:\n{received}"
            : $"{receivedFile} differs from the snapshot from line {FirstDifference(verified, received)} on.\nVerified:\n{verified}\nReceived:\n{received}");
    }

    private static string Normalised(string text) => text.ReplaceLineEndings("\n").TrimEnd('\n');

    private static int FirstDifference(string a, string b)
    {
        int line = 1;
        for (int i = 0; i < Math.Min(a.Length, b.Length) && a[i] == b[i]; i++)
        {
            if (a[i] == '\n')
                line++;
        }

        return line;
    }
}
