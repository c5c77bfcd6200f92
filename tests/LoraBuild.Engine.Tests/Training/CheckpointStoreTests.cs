// Checkpoint directories.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class CheckpointStoreTests
{
    [Fact]
    public void A_state_comes_back_as_it_was()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        TrainingState state = new("run", 7, new DataPosition(1, 4), 5, 5, 1.0 / 3, 2);
        store.Save(state, _ => { });
        Assert.Equal(state, Assert.Single(store.All()));
    }

    [Fact]
    public void What_a_kill_left_half_written_is_not_seen_and_does_not_disturb()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        Save(store, 1);
        Directory.CreateDirectory(Path.Combine(directory.Path, ".step-2.tmp"));
        Directory.CreateDirectory(store.PathOf(3)); // no state.json
        Directory.CreateDirectory(store.PathOf(4));
        File.WriteAllText(Path.Combine(store.PathOf(4), "state.json"), "{\"identity\": \"ru");
        Assert.Equal([1], store.All().Select(s => s.Step));
        Save(store, 2);
        Save(store, 3);
        Assert.Equal([1, 2, 3], store.All().Select(s => s.Step));

        Directory.CreateDirectory(store.PathOf(5)); // its state was removed, the rest not yet
        Directory.CreateDirectory(Path.Combine(directory.Path, ".step-6.tmp"));
        store.Prune("run", limit: 0, keepsBest: false, _ => false);
        Assert.Equal(["step-1", "step-2", "step-3", "step-4"], Directory.EnumerateDirectories(directory.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_write_that_fails_leaves_the_older_checkpoint_of_the_step()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        Save(store, 1);
        Assert.Throws<IOException>(() => store.Save(State(1) with { EvaluatedStep = 1 }, _ => throw new IOException("disk full")));
        Assert.Equal(State(1), Assert.Single(store.All()));
    }

    [Fact]
    public void The_newest_ones_and_the_best_are_kept_and_those_of_other_runs_go()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        store.Save(State(9) with { Identity = "other" }, _ => { });
        for (int step = 1; step <= 5; step++)
            Save(store, step);
        store.Prune("run", limit: 2, keepsBest: false, step => step == 2);
        Assert.Equal([2, 4, 5], store.All().Select(s => s.Step));
        store.Prune("run", limit: 0, keepsBest: false, _ => false);
        Assert.Equal([2, 4, 5], store.All().Select(s => s.Step));
    }

    [Theory]
    [InlineData(true, new[] { 2, 4, 5, 6 })]
    [InlineData(false, new[] { 4, 5, 6 })]
    public void The_best_that_a_kept_checkpoint_names_is_kept_with_it(bool keepsBest, int[] left)
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        for (int step = 1; step <= 6; step++)
            store.Save(State(step) with { BestStep = step < 2 ? 1 : step < 6 ? 2 : 6 }, _ => { });
        store.Prune("run", limit: 3, keepsBest, step => step == 6);
        Assert.Equal(left, store.All().Select(s => s.Step));
    }

    [Fact]
    public void A_checkpoint_that_a_kill_left_without_its_name_gets_it()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        store.NameFinished();
        store.Save(State(1), _ => { });
        store.Save(State(2) with { EvaluatedStep = 2 }, _ => { });
        string unnamed = Path.Combine(directory.Path, ".step-2.tmp");
        Directory.Move(store.PathOf(2), unnamed);
        Directory.CreateDirectory(Path.Combine(directory.Path, ".step-2.old"));
        Directory.CreateDirectory(Path.Combine(directory.Path, ".step-3.tmp")); // its state was not written yet
        store.NameFinished();
        Assert.Equal([State(1), State(2) with { EvaluatedStep = 2 }], store.All());

        store.Save(State(2), _ => { }); // a newer one stands: what is left does not take its place
        Directory.CreateDirectory(unnamed);
        File.Copy(Path.Combine(store.PathOf(1), "state.json"), Path.Combine(unnamed, "state.json"));
        store.NameFinished();
        store.Prune("run", limit: 0, keepsBest: false, _ => false);
        Assert.Equal([State(1), State(2)], store.All());
        Assert.Equal(2, Directory.GetDirectories(directory.Path).Length);
    }

    [Fact]
    public void Later_checkpoints_of_the_run_go()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        for (int step = 1; step <= 4; step++)
            Save(store, step);
        store.Save(State(5) with { Identity = "other" }, _ => { });
        store.RemoveAfter("run", 2);
        Assert.Equal([1, 2, 5], store.All().Select(s => s.Step));
    }

    [Fact]
    public void A_number_that_JSON_does_not_have_comes_back()
    {
        using TemporaryDirectory directory = new();
        CheckpointStore store = new(directory.Path);
        TrainingState state = State(3) with { BestMetric = double.PositiveInfinity, StartEvaluation = new(double.NaN, double.NaN, 8) };
        store.Save(state, _ => { });
        Assert.Equal(state, Assert.Single(store.All()));
    }

    private static TrainingState State(int step) => new("run", step, new DataPosition(0, step), 0, null, null, 0);

    private static void Save(CheckpointStore store, int step) => store.Save(State(step), path => File.WriteAllText(Path.Combine(path, "weights"), "w"));
}
