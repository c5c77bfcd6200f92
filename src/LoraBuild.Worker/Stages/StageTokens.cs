// The token files of a pipeline, as later stages read them.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Formats;

namespace LoraBuild.Worker.Stages;

internal static class StageTokens
{
    /// <exception cref="DiagnosticException">LB0831: the stage before has not been run.</exception>
    public static TokenDocuments Read(StageLayout layout, string split)
    {
        string file = FileOf(layout, split);
        return File.Exists(file)
            ? TokensFile.Read(file)
            : throw new DiagnosticException("LB0831", $"{file} does not exist. Run the stage before: lorabuild template --recipe … --output {layout.Root}");
    }

    /// <returns>Null when the split has no file or no document.</returns>
    public static TokenDocuments? ReadOptional(StageLayout layout, string split)
    {
        if (!File.Exists(FileOf(layout, split)))
            return null;
        TokenDocuments documents = TokensFile.Read(FileOf(layout, split));
        return documents.Count == 0 ? null : documents;
    }

    public static string FileOf(StageLayout layout, string split) => Path.Combine(layout.Tokens, split + ".safetensors");
}
