// A reference run of Hugging Face transformers and PEFT, as input and expectations for our trainer.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

internal sealed record GoldenStep(double Loss, double GradNorm, double LearningRate);

internal sealed class GoldenRun
{
    private readonly JsonObject run;

    public GoldenRun(string name)
    {
        Directory = Golden.Lora(name);
        run = JsonNode.Parse(File.ReadAllText(Path.Combine(Directory, "run.json")))!.AsObject();
        JsonObject training = run["training"]!.AsObject();
        using SafetensorsFile batches = SafetensorsFile.Open(Path.Combine(Directory, "batches.safetensors"));
        List<(int[] Ids, int[] Labels)> documents = [];
        foreach (JsonNode? microBatch in training["micro_batch_order"]!.AsArray())
            documents.AddRange(Rows(batches, $"micro_batch_{(int)microBatch!}"));
        Train = Documents.WithLabels([.. documents]);
        Evaluation = Documents.WithLabels([.. Rows(batches, "eval")]);
        Options = new TrainOptions
        {
            NumTrainEpochs = 1,
            BatchSize = (int)training["rows_per_micro_batch"]!,
            AccumulationSteps = (int)training["gradient_accumulation_steps"]!,
            Shuffle = false,
            LearningRate = (double)training["learning_rate"]!,
            Schedule = (string)training["lr_scheduler_type"]! switch
            {
                "cosine" => LearningRateScheduleKind.Cosine,
                "linear" => LearningRateScheduleKind.Linear,
                "constant_with_warmup" => LearningRateScheduleKind.ConstantWithWarmup,
                string other => throw new InvalidDataException(other),
            },
            WarmupSteps = (int)training["warmup_steps"]!,
            AdamBeta1 = (double)training["betas"]![0]!,
            AdamBeta2 = (double)training["betas"]![1]!,
            AdamEpsilon = (double)training["eps"]!,
            WeightDecay = (double)training["weight_decay"]!,
            MaxGradNorm = (double)training["max_grad_norm"]!,
        };
    }

    public string Directory { get; }

    public string ModelDirectory => Golden.Model(((string)run["model"]!)["models/".Length..]);

    public string? InitialAdapter => run["adapter"] is null ? null : Path.Combine(Directory, "adapter_init");

    public TrainOptions Options { get; }

    public TokenDocuments Train { get; }

    public TokenDocuments Evaluation { get; }

    public long TrainableParameters => (long)run["trainable_parameters"]!;

    public long AllParameters => (long)run["all_parameters"]!;

    public double EvalLossBefore => (double)run["eval_loss_before"]!;

    public double EvalLossAfter => (double)run["eval_loss_after"]!;

    public IReadOnlyList<GoldenStep> Steps =>
        [.. run["steps"]!.AsArray().Select(s => new GoldenStep((double)s!["loss"]!, (double)s["grad_norm"]!, (double)s["lr"]!))];

    public SafetensorsFile OpenExpected() => SafetensorsFile.Open(Path.Combine(Directory, "golden.safetensors"));

    private static IEnumerable<(int[] Ids, int[] Labels)> Rows(SafetensorsFile file, string name)
    {
        long[] shape = file.Tensors[$"{name}.input_ids"].Shape;
        long[] ids = file.ReadInt64($"{name}.input_ids");
        long[] mask = file.ReadInt64($"{name}.attention_mask");
        long[] labels = file.ReadInt64($"{name}.labels");
        for (int row = 0; row < shape[0]; row++)
        {
            int[] places = [.. Enumerable.Range(row * (int)shape[1], (int)shape[1]).Where(p => mask[p] == 1)];
            yield return ([.. places.Select(p => (int)ids[p])], [.. places.Select(p => (int)labels[p])]);
        }
    }
}
