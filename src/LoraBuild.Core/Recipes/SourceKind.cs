// The value of dataset.sources: a list of maps, each with keys of its own.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

internal static class SourceKind
{
    public static ValueKind<IReadOnlyList<DatasetSource>> Sources(IReadOnlyList<BoundKey<DatasetSource>> keys, string listName, bool isEmptyAllowed)
    {
        return new("list of sources", "", Read, Format);

        bool Read(RecipeNode node, string key, IDiagnosticSink sink, out IReadOnlyList<DatasetSource> value)
        {
            List<DatasetSource> sources = [];
            value = sources;
            if (node is not ListNode list)
                return ValueKinds.WrongType(node, key, sink, "a list of sources, each a map with a path");
            if (list.Items.Count == 0 && !isEmptyAllowed)
                return ValueKinds.Refuse("LB0009", node, sink, $"{key} is empty; at least one source is needed.");
            DiagnosticBag bag = new(sink);
            foreach (RecipeNode item in list.Items)
            {
                if (item is not MapNode map)
                {
                    ValueKinds.WrongType(item, $"an item of {key}", bag, "a map with a path, such as {path: data.jsonl}");
                    continue;
                }

                DatasetSource source = new() { Place = item.Place };
                source = KeyWalk.Read(map, $"{listName}[].", keys, source, bag, places: null);
                if (map.Find("path") is null)
                    ValueKinds.Refuse("LB0009", item, bag, $"an item of {key} has no path; each source needs one.");
                sources.Add(source);
            }

            return !bag.HasErrors;
        }

        string Format(IReadOnlyList<DatasetSource> sources, string baseDirectory) =>
            $"[{string.Join(", ", sources.Select(s => $"{{ {string.Join(", ", keys.Select(k => $"{k.Key.Name[(listName.Length + 3)..]}: {k.Format(s, baseDirectory)}"))} }}"))}]";
    }
}
