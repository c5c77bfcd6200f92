// metrics.jsonl.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class MetricsLogTests
{
    [Fact]
    public void A_line_has_the_promised_keys_and_exact_numbers()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "metrics.jsonl");
        using (MetricsLog log = MetricsLog.Open(path, 0, 0))
        {
            log.Write(Step(1));
            log.Write(new EvaluationMetrics(1, 10, 1.25, Math.Exp(1.25), 77, true));
        }

        string[] lines = File.ReadAllLines(path);
        JsonObject step = JsonNode.Parse(lines[0])!.AsObject();
        Assert.Equal(["step", "epoch", "loss", "grad_norm", "learning_rate", "tokens", "tokens_per_second", "peak_memory_bytes"], step.Select(p => p.Key));
        Assert.Equal(1.0 / 3, (double)step["loss"]!);
        JsonObject evaluation = JsonNode.Parse(lines[1])!.AsObject();
        Assert.Equal(["step", "eval_loss", "eval_perplexity", "eval_tokens"], evaluation.Select(p => p.Key));
        Assert.Equal(77, (int)evaluation["eval_tokens"]!);
    }

    [Fact]
    public void Lines_after_the_checkpoint_and_a_cut_off_line_are_dropped()
    {
        using TemporaryDirectory directory = new();
        string path = Path.Combine(directory.Path, "metrics.jsonl");
        using (MetricsLog log = MetricsLog.Open(path, 0, 0))
        {
            for (int step = 1; step <= 4; step++)
            {
                log.Write(Step(step));
                log.Write(new EvaluationMetrics(step, 10, 1, Math.E, 1, false));
            }
        }

        File.AppendAllText(path, "{\"step\": 5, \"lo");
        using (MetricsLog log = MetricsLog.Open(path, stepsDone: 3, evaluatedStep: 2))
            log.Write(Step(4));
        Assert.Equal([1, 1, 2, 2, 3, 4], File.ReadAllLines(path).Select(l => (int)JsonNode.Parse(l)!["step"]!));
    }

    private static StepMetrics Step(int step) => new(step, 10, 0.5, 1.0 / 3, 2, 1e-4, 100, 12.345, 1 << 20, TimeSpan.FromSeconds(1), true);
}
