// Parameter counts of public model shapes equal those of transformers and PEFT.
using System.Text.Json.Nodes;
using LoraBuild.Core.Formats;
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;

namespace LoraBuild.Engine.Tests.Models;

public sealed class ParameterCountsTests
{
    private static readonly JsonObject Reference = JsonNode.Parse(File.ReadAllText(Path.Combine(Golden.Root, "param-counts.json")))!.AsObject();

    public static TheoryData<string> ModelNames() => [.. Reference["models"]!.AsArray().Select(m => m!["name"]!.GetValue<string>())];

    [Theory]
    [MemberData(nameof(ModelNames))]
    public void Base_trainable_and_all_parameters_equal_the_reference(string name)
    {
        JsonObject model = Reference["models"]!.AsArray().Single(m => m!["name"]!.GetValue<string>() == name)!.AsObject();
        using TemporaryDirectory directory = new();
        File.WriteAllText(Path.Combine(directory.Path, "config.json"), model["config"]!.ToJsonString());
        ModelConfig config = ModelConfig.Load(directory.Path);
        Assert.Equal(model["base_parameters"]!.GetValue<long>(), ParameterCounts.OfFullTraining(config).Base);
        foreach (JsonNode? adapter in model["adapters"]!.AsArray())
        {
            string[] targets = [.. Reference["target_sets"]![adapter!["targets"]!.GetValue<string>()]!.AsArray().Select(t => t!.GetValue<string>())];
            ParameterCounts counts = ParameterCounts.OfLora(config, new LoraOptions { R = adapter["r"]!.GetValue<int>(), TargetModules = targets });
            Assert.Equal(adapter["trainable_parameters"]!.GetValue<long>(), counts.Trainable);
            Assert.Equal(adapter["all_parameters"]!.GetValue<long>(), counts.All);
            Assert.Equal(adapter["tensors"]!.GetValue<int>(), counts.AdapterTensors);
            Assert.Equal(adapter["trainable_percent"]!.GetValue<double>(), counts.TrainablePercent, 1e-6);
        }
    }

    [Fact]
    public void Counting_allocates_no_weights()
    {
        JsonNode[] models = [.. Reference["models"]!.AsArray().Select(m => m!)];
        Assert.Equal((12, 180), (models.Length, models.Sum(m => m["adapters"]!.AsArray().Count)));
        using TemporaryDirectory directory = new();
        JsonNode largest = models.MaxBy(m => m["base_parameters"]!.GetValue<long>())!;
        File.WriteAllText(Path.Combine(directory.Path, "config.json"), largest["config"]!.ToJsonString());
        long before = GC.GetAllocatedBytesForCurrentThread();
        ParameterCounts counts = ParameterCounts.OfLora(ModelConfig.Load(directory.Path), new LoraOptions { R = 64, TargetModulesPattern = AdapterPlan.AllLinear });
        Assert.True(counts.Base > 10_000_000_000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 20_000_000);
    }

    [Fact]
    public void Modules_are_counted_by_kind()
    {
        ModelConfig config = ModelConfig.Load(Golden.Model("llama-tied"));
        ParameterCounts counts = ParameterCounts.OfLora(config, new LoraOptions { R = 4, TargetModules = ["q_proj", "v_proj"] });
        Assert.Equal(3 * 4 * (60 + 60), counts.ByModule["q_proj"]);
        Assert.Equal(3 * 4 * (60 + 20), counts.ByModule["v_proj"]);
        Assert.Equal(counts.Trainable, counts.ByModule.Values.Sum());
    }
}
