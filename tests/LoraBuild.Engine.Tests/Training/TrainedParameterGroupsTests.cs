// The table of what is trained, of real adapters on a small model.
using LoraBuild.Engine.Adapters;
using LoraBuild.Engine.Models;
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class TrainedParameterGroupsTests
{
    [Fact]
    public void Low_rank_updates_are_told_by_module_type_with_their_ranks()
    {
        IReadOnlyList<TrainedParameterGroup> groups = Of(new LoraOptions { R = 4, RankPattern = new Dictionary<string, int> { ["layers.0.self_attn.q_proj"] = 2 }, TargetModules = ["q_proj", "v_proj"] }, out CausalLM model);
        using (model)
        {
            Assert.Equal(["q_proj", "v_proj"], groups.Select(g => g.Module));
            Assert.Equal(["r 2, r 4", "r 4"], groups.Select(g => g.Form));
            Assert.All(groups, g => Assert.Equal(model.LayerCount, g.Modules));
        }
    }

    [Fact]
    public void Magnitudes_rows_biases_and_whole_modules_have_their_place()
    {
        IReadOnlyList<TrainedParameterGroup> groups = Of(new LoraOptions { R = 4, UseDora = true, TargetModules = ["q_proj"], TrainableTokenIndices = [3, 7] }, out CausalLM model);
        using (model)
            Assert.Equal([("embed_tokens", "2 rows"), ("q_proj", "r 4, magnitude")], groups.Select(g => (g.Module, g.Form)));

        groups = Of(new LoraOptions { R = 4, TargetModules = ["q_proj"], ModulesToSave = ["embed_tokens"] }, out CausalLM second);
        using (second)
            Assert.Contains(groups, g => g.Module == "embed_tokens" && g.Modules == 1 && g.Parameters == second.Embedding.BaseMatrix.Plain!.NumberOfElements);
    }

    [Fact]
    public void The_groups_hold_every_trained_element_once_also_of_a_whole_model()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions { RequiresGrad = true });
        IReadOnlyList<TrainedParameterGroup> groups = TrainedParameterGroups.Of(model.TrainableParameters());
        Assert.Equal(model.TrainableParameters().Sum(p => p.Value.NumberOfElements), groups.Sum(g => g.Parameters));
        Assert.Equal(model.LayerCount, groups.Single(g => g.Module == "input_layernorm").Modules);
    }

    private static IReadOnlyList<TrainedParameterGroup> Of(LoraOptions options, out CausalLM model)
    {
        model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using LoraAdapter adapter = LoraAdapter.Attach(model, options);
        return TrainedParameterGroups.Of(model.TrainableParameters());
    }
}
