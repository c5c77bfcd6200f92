// The parts of the memory formula against what is counted by hand, and against what the engine really holds.
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Planning;
using LoraBuild.Engine.Tests.Training;
using LoraBuild.Engine.Training;
using LoraBuild.Engine.Training.Optimizers;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Planning;

public sealed class MemoryPlannerTests
{
    private static readonly DecoderSpec Small = DecoderFamilies.Describe(ModelConfig.Load(Golden.Model("llama-tied")));

    // SmolLM2-135M: 30 layers, width 576, 9 heads and 3 key/value heads of 64, feed-forward 1536.
    private static readonly DecoderSpec Smol = PublishedShapes.Qwen25Of0_5B with
    {
        VocabSize = 49152, HiddenSize = 576, IntermediateSize = 1536, HeadCount = 9, KeyValueHeadCount = 3, HeadDim = 64, HasQkvBias = false,
        Layers = [.. Enumerable.Repeat(new LayerSpec(0, null), 30)],
    };

    [Fact]
    public void A_layer_keeps_what_its_backward_pass_needs()
    {
        MemoryQuestion question = Question(Smol, ["q_proj", "k_proj", "v_proj", "o_proj"]) with { Kernels = new KernelTraits(0, KeepsAttentionWeights: true, GateValues: 3, CopiesAdapterInputs: false) };
        Dictionary<string, double> kept = MemoryPlanner.LayerValues(question).ToDictionary(o => o.Name, o => o.Values);
        Assert.Equal(9 * 256, kept["attention weights"]);
        Assert.Equal(576 + (2 * 192), kept["q, k, v"]);
        Assert.Equal(3 * 1536, kept["gate and up"]);
        Assert.Equal(576 + (3 * 16), kept["input of q, k, v"]); // and A x of each
        Assert.DoesNotContain("input of down", kept.Keys); // frozen
        Assert.Equal(10_240, kept.Values.Sum());

        // Fused attention keeps its output, which o_proj's adapter shares, and a number a head in place of the weights.
        Assert.Equal(10_240 - (9 * 256) + 9, MemoryPlanner.LayerValues(question with { Kernels = KernelTraits.Own(Smol, isFused: true, hasFusedLinears: false) with { GateValues = 3 } }).Sum(o => o.Values));

        // Fused linears make their inputs again, the fused gate needs gate and up alone.
        Assert.Equal((2 * 576) + 960 + 576 + 9 + (2 * 1536) + (4 * 16), MemoryPlanner.LayerValues(question with { Kernels = KernelTraits.Own(Smol, isFused: true, hasFusedLinears: true) }).Sum(o => o.Values));
    }

    [Fact]
    public void Dropout_gives_every_adapted_module_a_mask_and_an_input_of_its_own_but_in_the_fused_product()
    {
        MemoryQuestion question = Question(Smol, ["q_proj", "k_proj", "v_proj"]);
        double Inputs(double dropout) => MemoryPlanner.LayerValues(question with { LoraDropout = dropout }).Single(o => o.Name == "input of q, k, v").Values;
        Assert.Equal((576 + 48, (6 * 576) + 48), (Inputs(0), Inputs(0.1)));

        // The fused product draws again what it drops, and makes the input again.
        question = question with { Kernels = KernelTraits.Own(Smol, isFused: true, hasFusedLinears: true) };
        Assert.Equal((48, 48), (Inputs(0), Inputs(0.1)));
    }

    [Fact]
    public void Dora_keeps_what_its_magnitudes_multiply()
    {
        MemoryQuestion lora = Question(Smol, ["q_proj", "v_proj"]) with { Kernels = KernelTraits.Own(Smol, isFused: true, hasFusedLinears: true) };
        MemoryQuestion dora = lora with { Trained = TrainedTensors.OfLora(Smol, new LoraOptions { R = 16, TargetModules = ["q_proj", "v_proj"], UseDora = true }) };

        // The norm's result, which DoRA's tensor calls read, and the sums before the factor.
        Assert.Equal(576 + 576 + 192, MemoryPlanner.LayerValues(dora).Sum(o => o.Values) - MemoryPlanner.LayerValues(lora).Sum(o => o.Values));
    }

    [Fact]
    public void Narrow_arithmetic_in_tensor_calls_keeps_what_is_widened()
    {
        MemoryQuestion question = Question(Smol, ["q_proj", "v_proj"]) with { ComputeBytes = 2, Kernels = KernelTraits.Own(Smol, isFused: false, hasFusedLinears: false, computeBytes: 2) };
        Dictionary<string, double> kept = MemoryPlanner.LayerValues(question).ToDictionary(o => o.Name, o => o.Values);
        Assert.Equal(2 * 2 * 576, kept["norm before attention"]); // the fp32 input and its squares, in numbers of 2 bytes
        Assert.Equal(3 * 9 * 256, kept["attention weights"]); // in fp32, and narrowed for the product
        Assert.Equal(2 * 2 * (576 + 16), kept["input of q, k, v"]); // an fp32 copy for each module
        Assert.DoesNotContain("input of the layer", kept.Keys);
    }

    [Theory]
    [InlineData("lm_head", false, HeadTraining.Whole)]
    [InlineData("embed_tokens", false, HeadTraining.None)]
    [InlineData("embed_tokens", true, HeadTraining.Whole)]
    public void A_trained_head_needs_its_gradient_beside_the_logits(string saved, bool isTieKept, HeadTraining expected)
    {
        LoraOptions options = new() { R = 16, TargetModules = ["q_proj"], ModulesToSave = [saved], EnsureWeightTying = isTieKept };
        MemoryQuestion question = Question(Smol, ["q_proj"]) with { Trained = TrainedTensors.OfLora(Smol, options), KeepsTie = isTieKept };
        Assert.Equal(expected, question.Head);
        long difference = MemoryPlanner.Plan(question)["scratch"] - MemoryPlanner.Plan(Question(Smol, ["q_proj"]))["scratch"];
        Assert.Equal(expected == HeadTraining.None ? 0 : 49152L * 576 * 4, difference);
    }

    [Fact]
    public void A_trained_tie_needs_both_gradients_and_their_sum_at_the_end_of_the_backward_pass()
    {
        MemoryQuestion tied = Question(Smol, ["q_proj"]) with { Trained = TrainedTensors.OfFullTraining(Smol), Recomputation = Recomputation.LayersOffloaded, Batch = BatchShape.Of(1, 1) };
        Assert.True(Smol.IsHeadTied);
        MemoryPlan plan = MemoryPlanner.Plan(tied);
        Assert.Equal(3L * 49152 * 576 * 4, plan["activations"] + plan["logits"] + plan["scratch"]);
    }

    [Fact]
    public void A_head_made_of_parts_needs_itself_too()
    {
        MemoryQuestion question = Question(Smol, ["q_proj"]);
        question = question with { Trained = [.. question.Trained, .. TrainedTensors.OfLora(Smol, new LoraOptions { TargetModules = ["q_proj"], TrainableTokenIndices = [1, 2] }).Where(t => t.Role == TrainedRole.Rows)] };
        Assert.Equal(HeadTraining.OfParts, question.Head);
        Assert.Equal(2L * 49152 * 576 * 4, MemoryPlanner.Plan(question)["scratch"] - MemoryPlanner.Plan(Question(Smol, ["q_proj"]))["scratch"]);
    }

    [Fact]
    public void Malloc_keeps_as_much_again_as_its_tensors_take_and_blocks_keep_nothing()
    {
        MemoryQuestion question = Question(Smol, ["q_proj"]) with { Kernels = KernelTraits.Own(Smol, isFused: true, hasFusedLinears: true) };
        MemoryPlan alike = MemoryPlanner.Plan(question);
        MemoryPlan apart = MemoryPlanner.Plan(question with { BlockBytes = 256 << 10 });

        // A, B, gradients, moments; a layer's A x and a number a head.
        long small = (30 * 4 * 2 * 16 * 576 * 4L) + (30 * 1024 * (16 + 9) * 4L);
        Assert.Equal(small, apart.PeakBytes - alike.PeakBytes);
        Assert.Equal(apart.PeakBytes, apart.Parts.Sum(p => p.Bytes));
    }

    [Fact]
    public void The_start_of_an_adapter_and_of_what_it_began_with_are_copies_of_it()
    {
        MemoryQuestion question = Question(Smol, ["q_proj"]);
        long plain = MemoryPlanner.Plan(question).PeakBytes, adapter = MemoryPlanner.Plan(question)["adapter"];
        Assert.Equal(adapter, MemoryPlanner.Plan(question with { HoldsStart = true }).PeakBytes - plain);
        Assert.Equal(adapter, MemoryPlanner.Plan(question with { HasOwnStart = true }).PeakBytes - plain);
    }

    [Fact]
    public void Trained_biases_and_rows_are_counted()
    {
        DecoderSpec spec = PublishedShapes.Qwen25Of0_5B;
        long Numbers(string bias, params int[] tokens) =>
            TrainedTensors.OfLora(spec, new LoraOptions { R = 1, TargetModules = ["q_proj"], Bias = bias, TrainableTokenIndices = tokens }).Sum(t => t.Count);
        Assert.Equal(24L * 896, Numbers("lora_only") - Numbers("none"));
        Assert.Equal(24L * (896 + 128 + 128), Numbers("all") - Numbers("none"));
        Assert.Equal(3L * 896, Numbers("none", 5, 6, 7) - Numbers("none"));
    }

    [Fact]
    public void Recomputed_layers_keep_their_inputs_and_offloaded_ones_none()
    {
        MemoryQuestion question = Question(Smol, ["q_proj"]);
        MemoryPlan plain = MemoryPlanner.Plan(question);
        MemoryPlan recomputed = MemoryPlanner.Plan(question with { Recomputation = Recomputation.Layers });
        MemoryPlan offloaded = MemoryPlanner.Plan(question with { Recomputation = Recomputation.LayersOffloaded });
        Assert.Equal(30L * 576 * 1024 * 4, recomputed["activations"]);
        Assert.Equal((0, recomputed["activations"]), (offloaded["activations"], offloaded.FileBytes));
        Assert.True(plain.PeakBytes > recomputed.PeakBytes && recomputed.PeakBytes > offloaded.PeakBytes);
    }

    [Fact]
    public void Layers_below_the_first_trained_one_keep_nothing()
    {
        long Activations(IReadOnlyList<int>? layers) => MemoryPlanner.Plan(Question(Smol, ["q_proj"], layers)) ["activations"];
        Assert.Equal(Activations(null) / 3, Activations([20, 25]), 1.0);
    }

    [Fact]
    public void Four_bits_with_their_scales_are_what_bitsandbytes_stores()
    {
        ParameterShape weight = new("model.layers.0.mlp.up_proj.weight", [64, 1024], ParameterKind.LinearWeight);
        Assert.Equal(32_768 + (1024 * 4), new WeightHolding(2, WeightQuantization.FourBit).BytesOf(weight));
        Assert.Equal(32_768 + 1024 + (4 * 4) + 4, new WeightHolding(2, WeightQuantization.FourBit, IsDoublyQuantized: true).BytesOf(weight));
        Assert.Equal(65_536 + (64 * 4), new WeightHolding(2, WeightQuantization.Int8).BytesOf(weight));
        Assert.Equal(131_072, new WeightHolding(2).BytesOf(weight));
        ParameterShape head = weight with { Name = "lm_head.weight" };
        Assert.Equal(131_072, new WeightHolding(2, WeightQuantization.FourBit).BytesOf(head));
        Assert.Equal(131_072, new WeightHolding(4, WeightQuantization.FourBit) { VocabularyBytes = 2 }.BytesOf(head));
    }

    [Theory]
    [InlineData(OptimizerKind.AdamW, false)]
    [InlineData(OptimizerKind.AdamW8Bit, false)]
    [InlineData(OptimizerKind.AdamW8Bit, true)]
    [InlineData(OptimizerKind.Sgd, true)]
    [InlineData(OptimizerKind.Lion, false)]
    [InlineData(OptimizerKind.Adafactor, false)]
    public void Moments_take_what_a_checkpoint_of_them_holds(OptimizerKind kind, bool isLarge)
    {
        using TemporaryDirectory directory = new();
        long[] shape = isLarge ? [128, 64] : [16, 8];
        using Tensor value = zeros(shape).requires_grad_();
        using IOptimizer optimizer = OptimizerFactory.Create(new TrainOptions { Optimizer = kind, SgdMomentum = 0.9 }, [("w", value)]);
        string path = Path.Combine(directory.Path, "o");
        optimizer.Save(path);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        (Footprint resident, long paged) = new OptimizerMemory(kind, HasMomentum: true).BytesOf([new TrainedTensor("w", shape, TrainedRole.Base)]);
        Assert.Equal((file.Tensors.Values.Sum(t => t.ByteLength), 0), (resident.Total, paged));
    }

    [Fact]
    public void Paged_moments_take_their_budget_and_a_window()
    {
        TrainedTensor[] trained = [new("w", [10_000, 10_000], TrainedRole.Base)];
        Assert.Equal(
            (new Footprint(1_000_000 + StateMemory.WindowBytes, 0), 799_000_000), new OptimizerMemory(OptimizerKind.AdamW, PagedBeyond: 1_000_000).BytesOf(trained));
        Assert.Equal((new Footprint(800_000_000, 0), 0), new OptimizerMemory(OptimizerKind.AdamW, PagedBeyond: 1_000_000_000).BytesOf(trained));
    }

    [Fact]
    public void Logits_are_chunks_of_rows_and_never_more_than_the_targets()
    {
        MemoryQuestion question = Question(Smol, ["q_proj"]);
        Assert.Equal(2 * 205L * 49152 * 4, // five equal parts of 1,024, of at most 213 rows
             MemoryPlanner.Plan(question)["logits"]);
        Assert.Equal(2 * 10L * 49152 * 4, MemoryPlanner.Plan(question with { Batch = new BatchShape(20, 10, 400) })["logits"]);
    }

    [Fact]
    public void A_device_has_one_larger_chunk_of_narrow_logits_and_decodes_a_rectangle_of_a_weight()
    {
        if (!KernelTraits.HasFusedKernels)
            return;
        MemoryQuestion plain = Question(Smol, ["q_proj"]) with { Kernels = KernelTraits.OwnOnCuda(Smol), ComputeBytes = 2, Batch = BatchShape.Of(16, 256), Weights = new WeightHolding(2) };
        Assert.Equal(1408L * 49152 * 2, MemoryPlanner.Plan(plain)["logits"]); // 2²⁶ / 49152 = 1365 rows, in whole squares of 128
        Assert.Equal(256L * 49152 * 2, MemoryPlanner.Plan(plain with { Batch = BatchShape.Of(1, 256) })["logits"]);

        // Where a layer's backward pass needs more than the logits do.
        DecoderSpec large = Smol with { VocabSize = 512, HiddenSize = 8192, IntermediateSize = 28672 };
        plain = plain with { Spec = large, Trained = Question(large, ["q_proj"]).Trained };
        Assert.Equal(32L << 21, Scratch(plain with { Weights = new WeightHolding(2, WeightQuantization.FourBit) }) - Scratch(plain));

        static long Scratch(MemoryQuestion question) => MemoryPlanner.Plan(question)["scratch"];
    }

    [Fact]
    public void The_largest_batch_is_found_among_all_steps()
    {
        TokenDocuments documents = Documents.Random(12, 3, 30, 100, seed: 4);
        TrainOptions options = new() { BatchSize = 3, NumTrainEpochs = 1, Shuffle = false };
        BatchShape largest = LargestBatch.OfTraining(Small, documents, options);
        long most = Enumerable.Range(0, 4).Max(b => Enumerable.Range(3 * b, 3).Sum(d => (long)documents[d].Length));
        Assert.Equal(most, largest.Tokens);
        Assert.Equal(new BatchShape(3 * 512, 3 * 512, 3 * 512 * 512), LargestBatch.OfTraining(Small, null, options));
    }

    private static MemoryQuestion Question(DecoderSpec spec, string[] targets, IReadOnlyList<int>? layers = null) => new()
    {
        Spec = spec,
        Weights = new WeightHolding(4),
        Trained = TrainedTensors.OfLora(spec, new LoraOptions { R = 16, TargetModules = targets, LayersToTransform = layers }),
        Optimizer = new OptimizerMemory(OptimizerKind.AdamW),
        Kernels = KernelTraits.Own(spec, isFused: false, hasFusedLinears: false),
        Batch = BatchShape.Of(4, 256),
    };
}
