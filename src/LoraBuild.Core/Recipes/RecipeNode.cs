// YAML as a tree in which every value and every key knows its place. Data only; the tree is immutable and may be shared.
namespace LoraBuild.Core.Recipes;

/// <summary>What wrote a value: a recipe file, a preset, or an override.</summary>
/// <param name="File">What a diagnostic shows as the file: an absolute path, <c>preset:NAME</c>, or <c>--set a.b=value</c>.</param>
/// <param name="BaseDirectory">Absolute folder against which relative paths in the values resolve.</param>
internal sealed record RecipeOrigin(string File, string BaseDirectory);

/// <summary>A value with its place. <paramref name="Line"/> and <paramref name="Column"/> count from 1; 0 in an override.</summary>
/// <param name="Weight">Values in this value, itself included, with aliases counted each time they are used.</param>
internal abstract record RecipeNode(RecipeOrigin Origin, int Line, int Column, int Weight)
{
    public RecipePlace Place => new(Origin.File, Line, Column);
}

/// <param name="IsPlain">Written without quotes, so that it may mean a number, a boolean or null.</param>
internal sealed record ScalarNode(RecipeOrigin Origin, int Line, int Column, string Text, bool IsPlain)
    : RecipeNode(Origin, Line, Column, 1)
{
    public bool IsNull => IsPlain && (Text is "" or "~" or "null" or "Null" or "NULL");
}

internal sealed record ListNode(RecipeOrigin Origin, int Line, int Column, int Weight, IReadOnlyList<RecipeNode> Items)
    : RecipeNode(Origin, Line, Column, Weight);

internal sealed record MapNode(RecipeOrigin Origin, int Line, int Column, int Weight, IReadOnlyList<MapEntry> Entries)
    : RecipeNode(Origin, Line, Column, Weight)
{
    public MapEntry? Find(string key) => Entries.FirstOrDefault(e => e.Key == key);
}

internal sealed record MapEntry(string Key, RecipePlace KeyPlace, RecipeNode Value);
