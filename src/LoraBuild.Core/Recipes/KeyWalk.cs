// Walks a map and the table of keys together: known keys are read, sections entered, everything else is refused with the nearest valid key.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

internal static class KeyWalk
{
    /// <summary>The owner with every value of the map in it. Every error is reported.</summary>
    /// <param name="prefix">What stands before the map's keys in the table: empty for the recipe itself, <c>train.</c> inside a section.</param>
    /// <param name="places">Receives where each key's value stands.</param>
    public static TOwner Read<TOwner>(
        MapNode map, string prefix, IReadOnlyList<BoundKey<TOwner>> keys, TOwner owner, IDiagnosticSink sink, IDictionary<string, RecipePlace>? places)
    {
        foreach (MapEntry entry in map.Entries)
        {
            string name = prefix + entry.Key;
            string section = name + ".";
            if (keys.FirstOrDefault(k => k.Key.Name == name) is { } bound)
            {
                if (places is not null)
                    places[name] = entry.Value.Place;
                owner = bound.Read(owner, entry.Value, sink);
            }
            else if (keys.Any(k => k.Key.Name.StartsWith(section, StringComparison.Ordinal)))
            {
                if (places is not null)
                    places[name] = entry.KeyPlace;
                if (entry.Value is MapNode inner)
                    owner = Read(inner, section, keys, owner, sink, places);
                else if (entry.Value is not ScalarNode { IsNull: true })
                    ValueKinds.WrongType(entry.Value, name, sink, $"a map with keys such as {string.Join(", ", ChildrenOf(section, keys).Take(3))}");
            }
            else
            {
                sink.Report(Diagnostic.Error("LB0005", UnknownKey(entry.Key, prefix, keys), entry.KeyPlace.File, entry.KeyPlace.Line, entry.KeyPlace.Column));
            }
        }

        return owner;
    }

    private static string UnknownKey<TOwner>(string key, string prefix, IReadOnlyList<BoundKey<TOwner>> keys)
    {
        string where = prefix.Length == 0 ? "" : $" in {prefix.TrimEnd('.')}";
        string message = $"unknown key {RecipeText.Quote(key)}{where}.";
        List<string> children = [.. ChildrenOf(prefix, keys)];
        if (RecipeText.Nearest(key, children) is { } sibling)
            return $"{message} Did you mean {prefix}{sibling}?";

        // A right name in the wrong section is as common as a misspelt one.
        ILookup<string, string> byLeaf = keys.ToLookup(k => k.Key.Name[(k.Key.Name.LastIndexOf('.') + 1)..], k => k.Key.Name, StringComparer.Ordinal);
        if (RecipeText.Nearest(key, byLeaf.Select(g => g.Key).Order(StringComparer.Ordinal)) is { } leaf)
            return $"{message} Did you mean {string.Join(" or ", byLeaf[leaf])}?";

        // Other tools' short names: epochs, batch_size, alpha, dropout.
        List<string> longer = [.. byLeaf.Where(g => key.Length > 2 && $"_{g.Key}_".Contains($"_{key}_", StringComparison.Ordinal)).SelectMany(g => g)];
        if (longer.Exists(k => k.StartsWith(prefix, StringComparison.Ordinal)))
            longer.RemoveAll(k => !k.StartsWith(prefix, StringComparison.Ordinal)); // the section that was meant anyway
        if (longer.Count is > 0 and <= 3)
            return $"{message} Did you mean {string.Join(" or ", longer)}?";
        return $"{message} Keys here are {string.Join(", ", children)}.";
    }

    /// <summary>Names that may stand directly under the prefix, in the table's order.</summary>
    private static IEnumerable<string> ChildrenOf<TOwner>(string prefix, IReadOnlyList<BoundKey<TOwner>> keys)
    {
        IEnumerable<string> children = keys.Where(k => k.Key.Name.StartsWith(prefix, StringComparison.Ordinal)).Select(k => k.Key.Name[prefix.Length..].Split('.')[0]);
        return (prefix.Length == 0 ? children.Prepend(RecipeFiles.ExtendsKey) : children).Distinct();
    }
}
