// Lays one recipe over another: maps merge key by key, lists and single values replace.
namespace LoraBuild.Core.Recipes;

internal static class RecipeMerge
{
    /// <summary>Values of <paramref name="above"/> win. A section that stands empty above changes nothing below.</summary>
    public static MapNode Over(MapNode below, MapNode above)
    {
        List<MapEntry> entries = [.. below.Entries];
        Dictionary<string, int> positions = new(StringComparer.Ordinal);
        for (int i = 0; i < entries.Count; i++)
            positions[entries[i].Key] = i;
        foreach (MapEntry entry in above.Entries)
        {
            if (positions.TryGetValue(entry.Key, out int at))
                entries[at] = entry with { Value = Over(entries[at].Value, entry.Value) };
            else
                entries.Add(entry);
        }

        return above with { Weight = below.Weight + above.Weight, Entries = entries };
    }

    private static RecipeNode Over(RecipeNode below, RecipeNode above) => (below, above) switch
    {
        (MapNode lower, MapNode upper) => Over(lower, upper),
        (MapNode lower, ScalarNode { IsNull: true }) => lower,
        _ => above,
    };
}
