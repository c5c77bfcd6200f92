// Where the repository stands that these tests were built from.
using System.Reflection;

namespace LoraBuild.EndToEnd.Tests;

internal static class Repository
{
    public static string Root { get; } = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!;

    public static string In(params string[] parts) => Path.Combine([Root, .. parts]);
}
