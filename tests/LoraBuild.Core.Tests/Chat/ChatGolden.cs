// Where the golden files of the chat tests stand: our own in the repository, third-party ones beside it where they are there.
using LoraBuild.Core.Tests.Recipes;

namespace LoraBuild.Core.Tests.Chat;

internal static class ChatGolden
{
    public static string File(string name) => Path.Combine(RecipeFixture.Repository, "tests", "LoraBuild.Core.Tests", "golden", "templates", name);

    /// <summary>A folder of the shared golden data, or null on a machine that has only the repository.</summary>
    public static string? Shared(params string[] parts)
    {
        string path = Path.Combine([RecipeFixture.Repository, "..", "shared", "golden", .. parts]);
        return Directory.Exists(path) ? path : null;
    }
}
