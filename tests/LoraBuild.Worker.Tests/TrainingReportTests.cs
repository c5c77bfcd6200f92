// What a training run leaves for those who look on: TensorBoard's files, sample answers, the tables.
using System.Text.Json.Nodes;
using LoraBuild.Tests.Shared;

namespace LoraBuild.Worker.Tests;

public sealed class TrainingReportTests : IDisposable
{
    private readonly WorkerFixture worker = new();

    public TrainingReportTests()
    {
        worker.Model();
        File.WriteAllLines(worker.In("data.jsonl"), Enumerable.Range(0, 24).Select(i => $$"""{"messages": [{"role": "user", "content": "what is {{i}}?"}, {"role": "assistant", "content": "it is {{i}}"}]}"""));
        File.WriteAllText(worker.In("recipe.yaml"), """
            base: { model: ./model }
            dataset: { sources: [{ path: data.jsonl }], split: { eval: 0.2 } }
            template: { packing: false }
            adapter: { r: 2, target_modules: [q_proj, v_proj], lora_dropout: 0.1 }
            train: { max_steps: 6, per_device_train_batch_size: 2, gradient_accumulation_steps: 1, eval_steps: 2, save_steps: 2, sample_max_new_tokens: 3, logging_steps: 3 }
            """);
    }

    [Fact]
    public void Event_files_hold_what_the_metrics_hold_and_more()
    {
        string log = Train("out");
        JsonObject[] metrics = Lines("out", "metrics.jsonl");
        IReadOnlyList<ReadEvent> events = EventFileReader.ReadAll(worker.In("out", "tensorboard"));
        Assert.Equal("brain.Event:2", events[0].FileVersion);
        Assert.Equal(metrics.Where(m => m.ContainsKey("loss")).Select(m => ((long)m["step"]!, (float)(double)m["loss"]!)), Scalars(events, "train/loss"));
        Assert.Equal(metrics.Where(m => m.ContainsKey("loss")).Select(m => ((long)m["step"]!, (float)(double)m["grad_norm"]!)), Scalars(events, "train/grad_norm"));
        Assert.Equal(metrics.Where(m => m.ContainsKey("eval_loss")).Select(m => ((long)m["step"]!, (float)(double)m["eval_loss"]!)), Scalars(events, "eval/loss").Skip(1));
        Assert.Equal([0, 2, 4, 6], Scalars(events, "eval/perplexity").Select(s => s.Step));
        foreach (string tag in new[] { "train/learning_rate", "train/epoch", "train/tokens_per_second", "train/peak_memory_bytes" })
            Assert.Equal([1, 2, 3, 4, 5, 6], Scalars(events, tag).Select(s => s.Step));
        Assert.Equal(4, events.First(e => e.Tag == "train/grad_norms").Histogram!.Value.Figures[2]); // A and B of two modules
        Assert.Contains("```yaml\nadapter.alpha_pattern", events.Single(e => e.Tag == "recipe").Text, StringComparison.Ordinal);
        Assert.Contains("| q_proj | 1 | r 2 | 128 |", events.Single(e => e.Tag == "parameters").Text, StringComparison.Ordinal);
        Assert.Equal([0, 2, 4, 6], events.Where(e => e.Tag == "samples/2").Select(e => e.Step));

        double now = (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).TotalSeconds;
        Assert.All(events, e => Assert.InRange(e.WallTime, now - 600, now));
        Assert.Contains("train:   q_proj: 1 × r 2, 128 parameters", log, StringComparison.Ordinal);
        Assert.Matches(@"train:   evaluation loss: before \d\.\d{4}, after \(step \d\) \d\.\d{4}", log);
        Assert.Matches(@"train:   “what is \d+\?” → “", log);
    }

    [Fact]
    public void Answers_stand_in_samples_jsonl_and_change_nothing_about_the_adapter()
    {
        Train("out");
        JsonObject[] samples = Lines("out", "samples.jsonl");
        Assert.Equal([0, 0, 2, 2, 4, 4, 6, 6], samples.Select(s => (int)s["step"]!));
        Assert.All(samples, s => Assert.StartsWith("what is ", (string)s["prompt"]!, StringComparison.Ordinal));

        string quiet = Train("quiet", "train.sample_prompts=0", "train.report_to=none", "train.eval_on_start=false");
        Assert.False(File.Exists(worker.In("quiet", "samples.jsonl")));
        Assert.False(Directory.Exists(worker.In("quiet", "tensorboard")));
        Assert.DoesNotContain("“what is", quiet, StringComparison.Ordinal);
        Assert.Contains("evaluation loss: before –, after", quiet, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(worker.In("out", "adapter", "adapter_model.safetensors")), File.ReadAllBytes(worker.In("quiet", "adapter", "adapter_model.safetensors")));
        Assert.Contains("train: up to date", Train("out", "train.sample_prompts=1", "train.report_to=none"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_recipes_own_questions_are_asked_where_it_has_some()
    {
        Train("out", "evaluate.prompts=[who are you?]");
        Assert.All(Lines("out", "samples.jsonl"), s => Assert.Equal("who are you?", (string)s["prompt"]!));
    }

    [Fact]
    public void What_was_cut_off_is_told_once_when_training_goes_on()
    {
        Train("out", "train.lr_scheduler_type=constant", "train.warmup_steps=0", "train.max_steps=4");
        Directory.Delete(worker.In("out", "checkpoints", "step-4"), recursive: true);
        string log = Train("out", "train.lr_scheduler_type=constant", "train.warmup_steps=0", "train.max_steps=6");
        Assert.Contains("goes on after step 2 of 6", log, StringComparison.Ordinal);
        IReadOnlyList<ReadEvent> events = EventFileReader.ReadAll(worker.In("out", "tensorboard"));
        Assert.Equal([1, 2, 3, 4, 5, 6], Scalars(events, "train/loss").Select(s => s.Step));
        Assert.Equal([0, 2, 4, 6], Scalars(events, "eval/loss").Select(s => s.Step));
        Assert.Equal([0, 2, 4, 6], events.Where(e => e.Tag == "samples/1").Select(e => e.Step));
        Assert.Equal(3, events.Single(e => e.IsRestart).Step);
        Assert.Single(events, e => e.Tag == "recipe");
        Assert.Equal([0, 0, 2, 2, 4, 4, 6, 6], Lines("out", "samples.jsonl").Select(s => (int)s["step"]!));
        Assert.Matches(@"evaluation loss: before \d", log); // from the checkpoint
    }

    [Fact]
    public void Where_no_step_was_left_no_peak_is_compared()
    {
        Assert.Contains(", predicted ", Train("out"), StringComparison.Ordinal);
        Directory.Delete(worker.In("out", "adapter"), recursive: true);
        string log = Train("out");
        Assert.Contains("goes on after step 6 of 6", log, StringComparison.Ordinal);
        Assert.DoesNotContain(", predicted ", log, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fresh_run_leaves_nothing_of_the_one_before()
    {
        Train("out");
        Train("out", "train.learning_rate=0.002", "train.max_steps=2");
        Assert.Equal([1, 2], Scalars(EventFileReader.ReadAll(worker.In("out", "tensorboard")), "train/loss").Select(s => s.Step));
        Assert.Equal([0, 0, 2, 2], Lines("out", "samples.jsonl").Select(s => (int)s["step"]!));
    }

    public void Dispose() => worker.Dispose();

    private string Train(string output, params string[] changes)
    {
        Outcome outcome = worker.Run("", ["train", "--recipe", worker.In("recipe.yaml"), "--output", worker.In(output), .. changes.SelectMany(c => new[] { "--set", c })]);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return outcome.Error;
    }

    private JsonObject[] Lines(string output, string file) => [.. File.ReadLines(worker.In(output, file)).Select(line => JsonNode.Parse(line)!.AsObject())];

    private static IEnumerable<(long Step, float Value)> Scalars(IReadOnlyList<ReadEvent> events, string tag) => events.Where(e => e.Tag == tag).Select(e => (e.Step, e.Scalar!.Value));
}
