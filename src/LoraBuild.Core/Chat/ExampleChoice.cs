// Which documents stand for a data set, and which line of the data each is.
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Chat;

/// <param name="Name">shortest, median, longest, or the percentage of documents that are no longer.</param>
public sealed record ChosenExample(int Document, string Name);

public static class ExampleChoice
{
    /// <summary>Spread evenly over the lengths: one is the median, two are the shortest and the longest, three are all of these. Of equally long ones the first.</summary>
    public static IReadOnlyList<ChosenExample> Choose(IReadOnlyList<int> lengths, int count)
    {
        int[] byLength = [.. Enumerable.Range(0, lengths.Count).OrderBy(i => lengths[i])];
        count = Math.Min(count, byLength.Length);
        List<ChosenExample> chosen = [];
        for (int i = 0; i < count; i++)
        {
            int percent = count == 1 ? 50 : 100 * i / (count - 1);
            int place = (int)((byLength.Length - 1) * (long)(count == 1 ? 1 : i) / (count == 1 ? 2 : count - 1));
            chosen.Add(new ChosenExample(byLength[place], percent switch { 0 => "shortest", 50 => "median", 100 => "longest", _ => FormattableString.Invariant($"{percent}% are no longer") }));
        }

        return chosen;
    }

    /// <summary>FILE(LINE) of each of these documents of a split; those that were tokens already are not there.</summary>
    /// <param name="leftOut">Lines of <paramref name="datasetFile"/>, from 1, that are in no token file.</param>
    public static IReadOnlyDictionary<int, string> Places(string datasetFile, IReadOnlySet<int> leftOut, IReadOnlySet<int> documents)
    {
        Dictionary<int, string> places = [];
        (int document, int number) = (0, 0);
        foreach (string line in File.ReadLines(datasetFile))
        {
            if (leftOut.Contains(++number))
                continue;
            if (documents.Contains(document++))
            {
                JsonNode row = JsonNode.Parse(line)!;
                places[document - 1] = FormattableString.Invariant($"{(string?)row["source"]}({(int?)row["line"]})");
            }

            if (places.Count == documents.Count)
                break;
        }

        return places;
    }
}
