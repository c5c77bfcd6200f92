// Small token documents for tests.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

internal static class Documents
{
    /// <summary>Documents whose labels are their tokens.</summary>
    public static TokenDocuments Of(params int[][] documents) => WithLabels([.. documents.Select(d => (d, d))]);

    public static TokenDocuments WithLabels(params (int[] Ids, int[] Labels)[] documents)
    {
        long[] offsets = new long[documents.Length + 1];
        for (int i = 0; i < documents.Length; i++)
            offsets[i + 1] = offsets[i] + documents[i].Ids.Length;
        return new TokenDocuments([.. documents.SelectMany(d => d.Ids)], [.. documents.SelectMany(d => d.Labels)], offsets);
    }

    /// <summary>Random tokens; about a third of them are no target.</summary>
    public static TokenDocuments Random(int count, int shortest, int longest, int vocabSize, ulong seed)
    {
        DeterministicRandom random = new(seed);
        return WithLabels([.. Enumerable.Range(0, count).Select(_ =>
        {
            int[] ids = [.. Enumerable.Range(0, shortest + random.Next(longest - shortest + 1)).Select(_ => random.Next(vocabSize))];
            int[] labels = [.. ids.Select(id => random.Next(3) == 0 ? LabelShift.Ignored : id)];
            return (ids, labels);
        })]);
    }
}
