// Event files read back by an independent reader; what a restart leaves; damaged ends.
using LoraBuild.Core.Formats.TensorBoard;
using LoraBuild.Tests.Shared;

namespace LoraBuild.Core.Tests.Formats.TensorBoard;

public sealed class EventFileTests : IDisposable
{
    private readonly string directory = Directory.CreateTempSubdirectory("lorabuild-events-").FullName;

    [Fact]
    public void The_checksum_is_CRC32C_with_TensorFlows_mask()
    {
        // CRC-32C of "123456789" is E3069283 (RFC 3720's polynomial, the usual check value).
        uint crc = TfRecords.MaskedCrc("123456789"u8) - 0xA282EAD8;
        Assert.Equal(0xE3069283, (crc << 15) | (crc >> 17));
    }

    [Fact]
    public void Scalars_texts_and_histograms_are_read_back_as_they_were_written()
    {
        using (EventFileWriter writer = EventFileWriter.Open(directory, 0, (_, _) => true, 1.5))
        {
            writer.Write(EventMessage.Scalars(3, 2.5, [("train/loss", 1.25), ("train/learning_rate", 1e-4)]));
            writer.Write(EventMessage.Text(0, 3.5, "recipe", "```yaml\nname: ü\n```"));
            writer.Write(EventMessage.Histogram(300, 4.5, "train/grad_norms", EventHistogram.Of([1, 2, 2, 4, double.NaN])));
        }

        IReadOnlyList<ReadEvent> events = EventFileReader.ReadAll(directory);
        Assert.Equal(["brain.Event:2", null, null, null, null], events.Select(e => e.FileVersion));
        Assert.Equal([1.5, 2.5, 2.5, 3.5, 4.5], events.Select(e => e.WallTime));
        Assert.Equal([0, 3, 3, 0, 300], events.Select(e => e.Step));
        Assert.Equal([(null, null), ("train/loss", 1.25f), ("train/learning_rate", 1e-4f), ("recipe", null), ("train/grad_norms", null)], events.Select(e => (e.Tag, e.Scalar)));
        Assert.Equal("```yaml\nname: ü\n```", events[3].Text);
        (double[] figures, double[] limits, double[] counts) = events[4].Histogram!.Value;
        Assert.Equal([1, 4, 4, 9, 25], figures);
        Assert.Equal((30, 4.0, 4.0), (limits.Length, limits[^1], counts.Sum()));
        Assert.Equal([1, 2, 1], new[] { counts[0], counts[10], counts[29] }); // 1; both 2s, a third of the way; 4
    }

    [Fact]
    public void A_histogram_of_equal_or_no_values_has_one_bucket()
    {
        Assert.Equal((2.0, 3.0), (Assert.Single(EventHistogram.Of([2, 2, 2]).Limits), Assert.Single(EventHistogram.Of([2, 2, 2]).Counts)));
        Assert.Equal(0, EventHistogram.Of([double.PositiveInfinity]).Count);
    }

    [Fact]
    public void A_run_that_begins_again_after_a_step_leaves_every_step_once()
    {
        WriteSteps(0, 1, 5);
        using (FileStream cut = new(EventFileWriter.FilesOf(directory).Single(), FileMode.Append))
            cut.Write([40, 0, 0, 0, 0, 0, 0, 0, 1, 2]); // what a kill leaves of a record
        WriteSteps(3, 4, 6);
        WriteSteps(5, 6, 7);
        IReadOnlyList<ReadEvent> events = EventFileReader.ReadAll(directory);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7], events.Where(e => e.Tag is not null).Select(e => e.Step));
        Assert.Equal([4, 6], events.Where(e => e.IsRestart).Select(e => e.Step));
        Assert.Equal(["events.out.tfevents.000001", "events.out.tfevents.000002", "events.out.tfevents.000003"], EventFileWriter.FilesOf(directory).Select(Path.GetFileName));
    }

    [Fact]
    public void A_file_of_which_nothing_stays_goes_and_its_number_is_not_used_again()
    {
        WriteSteps(0, 1, 2);
        WriteSteps(0, 1, 3);
        Assert.Equal("events.out.tfevents.000002", Path.GetFileName(EventFileWriter.FilesOf(directory).Single()));
        Assert.Equal([1, 2, 3], EventFileReader.ReadAll(directory).Where(e => e.Tag is not null).Select(e => e.Step));
    }

    [Fact]
    public void A_damaged_byte_ends_what_is_read()
    {
        using MemoryStream stream = new();
        TfRecords.Write(stream, [1, 2, 3]);
        TfRecords.Write(stream, [4]);
        byte[] file = stream.ToArray();
        for (int at = 0; at < file.Length; at++)
        {
            byte[] damaged = [.. file];
            damaged[at] ^= 0x10;
            Assert.Equal(at < 19 ? 0 : 1, TfRecords.ReadWhole(damaged).Count);
        }

        for (int length = 0; length <= file.Length; length++)
            Assert.Equal(length < 19 ? 0 : length < file.Length ? 1 : 2, TfRecords.ReadWhole(file.AsSpan(0, length)).Count);
    }

    [Fact]
    public void Files_of_others_in_the_directory_are_left_alone()
    {
        string other = Path.Combine(directory, "events.out.tfevents.1700000000.host.1.0");
        File.WriteAllText(other, "theirs");
        WriteSteps(0, 1, 1);
        Assert.Equal("theirs", File.ReadAllText(other));
    }

    public void Dispose() => Directory.Delete(directory, recursive: true);

    private void WriteSteps(int done, int first, int last)
    {
        using EventFileWriter writer = EventFileWriter.Open(directory, done + 1, (step, tag) => tag == "train/loss" && step <= done, 1);
        for (int step = first; step <= last; step++)
            writer.Write(EventMessage.Scalars(step, step, [("train/loss", step)]));
    }
}
