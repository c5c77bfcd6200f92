// Targets are matched by PEFT's rules, and what matches nothing is refused with what exists.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Adapters;

namespace LoraBuild.Engine.Tests.Adapters;

public sealed class AdapterPlanTests
{
    private static readonly string[] Paths =
    [
        "model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj", "model.layers.0.mlp.down_proj",
        "model.layers.1.self_attn.q_proj", "model.layers.1.self_attn.v_proj", "model.layers.1.mlp.down_proj", "lm_head",
    ];

    [Fact]
    public void A_name_matches_the_end_of_a_path_after_a_dot() =>
        Assert.Equal([Paths[0], Paths[3]], Targets(new LoraOptions { TargetModules = ["q_proj"] }));

    [Fact]
    public void A_whole_path_matches_exactly() =>
        Assert.Equal([Paths[4]], Targets(new LoraOptions { TargetModules = [Paths[4]] }));

    [Fact]
    public void An_expression_must_match_the_whole_path()
    {
        Assert.Equal([Paths[0], Paths[1]], Targets(new LoraOptions { TargetModulesPattern = @".*\.0\.self_attn\.(q|v)_proj" }));
        Assert.Throws<DiagnosticException>(() => Targets(new LoraOptions { TargetModulesPattern = "q_proj" }));
    }

    [Fact]
    public void All_linear_means_all_but_the_head() =>
        Assert.Equal(Paths[..6], Targets(new LoraOptions { TargetModulesPattern = AdapterPlan.AllLinear }));

    [Fact]
    public void The_head_can_be_named() =>
        Assert.Equal(["lm_head"], Targets(new LoraOptions { TargetModules = ["lm_head"] }));

    [Fact]
    public void Excluded_modules_and_other_layers_are_left_out()
    {
        Assert.Equal([Paths[3]], Targets(new LoraOptions { TargetModules = ["q_proj", "v_proj"], ExcludeModules = ["v_proj"], LayersToTransform = [1] }));
        Assert.Equal([Paths[1], Paths[4]], Targets(new LoraOptions { TargetModules = ["q_proj", "v_proj"], ExcludeModulesPattern = @".*q_proj" }));
    }

    [Fact]
    public void Patterns_give_single_modules_their_own_rank_and_alpha()
    {
        AdapterPlan plan = Plan(new LoraOptions
        {
            R = 8,
            LoraAlpha = 16,
            TargetModules = ["q_proj", "v_proj"],
            RankPattern = new Dictionary<string, int> { ["v_proj"] = 4 },
            AlphaPattern = new Dictionary<string, double> { [@"layers\.1\..*v_proj"] = 2 },
        });
        Assert.Equal([(8, 2.0), (4, 4.0), (8, 2.0), (4, 0.5)], plan.Targets.Select(t => (t.R, t.Scaling)));
    }

    [Fact]
    public void Rank_stabilised_scaling_divides_by_the_root_of_the_rank() =>
        Assert.Equal(16 / Math.Sqrt(8), Plan(new LoraOptions { R = 8, LoraAlpha = 16, UseRslora = true, TargetModules = ["q_proj"] }).Targets[0].Scaling);

    [Theory]
    [InlineData("c_attn")]
    [InlineData("proj")]
    public void A_name_that_matches_nothing_is_refused_with_the_names_that_exist(string name)
    {
        DiagnosticException error = Assert.Throws<DiagnosticException>(() => Targets(new LoraOptions { TargetModules = ["q_proj", name] }));
        Assert.Equal("LB0520", error.Diagnostics[0].Code);
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
        Assert.Contains("q_proj, v_proj, down_proj, lm_head", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_embedding_as_a_target_is_refused_with_the_way_to_train_it() =>
        Assert.Contains("modules_to_save", Assert.Throws<DiagnosticException>(() => Plan(new LoraOptions { TargetModules = ["q_proj", "embed_tokens"] })).Message, StringComparison.Ordinal);

    public static TheoryData<string, LoraOptions> Mistakes() => new()
    {
        { "LB0520", new LoraOptions { TargetModulesPattern = "nothing" } },
        { "LB0520", new LoraOptions { TargetModules = ["q_proj"], LayersToTransform = [7] } },
        { "LB0520", new LoraOptions { TargetModules = [] } },
        { "LB0521", new LoraOptions { TargetModulesPattern = "(" } },
        { "LB0522", new LoraOptions { R = 0, TargetModules = ["q_proj"] } },
        { "LB0522", new LoraOptions { LoraDropout = 1, TargetModules = ["q_proj"] } },
        { "LB0522", new LoraOptions { TargetModules = ["q_proj"], RankPattern = new Dictionary<string, int> { ["q_proj"] = -1 } } },
        { "LB0522", new LoraOptions { TargetModulesPattern = AdapterPlan.AllLinear, LayersToTransform = [0] } },
        { "LB0523", new LoraOptions { TargetModules = ["q_proj"], ModulesToSave = ["norm"] } },
        { "LB0524", new LoraOptions { TargetModules = ["lm_head"], ModulesToSave = ["lm_head"] } },
        { "LB0522", new LoraOptions { TargetModules = ["q_proj"], Bias = "some" } },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Options_that_cannot_be_right_are_refused(string code, LoraOptions options) =>
        Assert.Equal(code, Assert.Throws<DiagnosticException>(() => Plan(options)).Diagnostics[0].Code);

    [Fact]
    public void A_tie_that_is_kept_saves_both_names()
    {
        AdapterPlan plan = Plan(new LoraOptions { TargetModules = ["q_proj"], ModulesToSave = ["embed_tokens"], EnsureWeightTying = true });
        Assert.True(plan.KeepsTie);
        Assert.Equal(["model.embed_tokens", "lm_head"], plan.SavedModules);
    }

    private static AdapterPlan Plan(LoraOptions options) => AdapterPlan.Create(options, Paths, "model.embed_tokens", isTied: true);

    private static string[] Targets(LoraOptions options) => [.. Plan(options).Targets.Select(t => t.Path)];
}
