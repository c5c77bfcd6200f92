// Runs that begin otherwise than with B = 0, against PEFT: starts taken from the weights, with DoRA too, and trained rows that go on. Tolerances: golden/README.md §2.
using System.Text.Json.Nodes;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Evaluation;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class GoldenStartsTests
{
    private const double LossTolerance = 2e-5;
    private const double GradNormRelativeTolerance = 2e-5;

    private static readonly GoldenRun Data = new("llama-tied-qkv-r4"); // documents and settings are this run's

    [Theory]
    [InlineData("pissa", LoraInit.Pissa, false)]
    [InlineData("pissa-dora", LoraInit.Pissa, true)]
    [InlineData("olora-dora", LoraInit.Olora, true)]
    public void A_start_taken_from_the_weights_is_trained_as_PEFT_trains_it(string name, LoraInit init, bool useDora)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, new LoraOptions { R = 4, LoraAlpha = 8, TargetModules = ["q_proj", "down_proj"], Init = init, UseDora = useDora });
        IsTrainedAsByPeft(name, model, adapter);
    }

    [Theory]
    [InlineData("token-rows-tied", "llama-tied")]
    [InlineData("token-rows-untied", "llama-untied-rope3")] // rows of the head, and others of the embedding
    public void Trained_rows_go_on_as_in_PEFT(string name, string model)
    {
        using CausalLM loaded = CausalLM.Load(Golden.Model(model), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Load(loaded, Path.Combine(Golden.Root, "peft", name), isTrainable: true);
        IsTrainedAsByPeft(name, loaded, adapter);
    }

    private static void IsTrainedAsByPeft(string name, CausalLM model, LoraAdapter adapter)
    {
        JsonNode expected = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root, "training", "starts.json")))![name]!;
        Assert.Equal((double)expected["eval_loss_before"]!, PerplexityEvaluator.Evaluate(model, Data.Evaluation, 1024).Loss, LossTolerance);
        using TemporaryDirectory output = new();
        RecordingObserver observer = new();
        Trainer.Run(model, adapter, Data.Train, Data.Evaluation, Data.Options, output.Path, observer);
        Assert.Equal((long)expected["trainable_parameters"]!, observer.Start!.TrainableParameters);
        JsonArray steps = expected["steps"]!.AsArray();
        Assert.Equal(steps.Count, observer.Steps.Count);
        for (int i = 0; i < steps.Count; i++)
        {
            (double loss, double gradNorm) = ((double)steps[i]![0]!, (double)steps[i]![1]!);
            Assert.Equal(loss, observer.Steps[i].Loss, LossTolerance);
            Assert.Equal(gradNorm, observer.Steps[i].GradNorm, gradNorm * GradNormRelativeTolerance);
        }

        Assert.Equal((double)expected["eval_loss_after"]!, PerplexityEvaluator.Evaluate(model, Data.Evaluation, 1024).Loss, LossTolerance);
    }
}
