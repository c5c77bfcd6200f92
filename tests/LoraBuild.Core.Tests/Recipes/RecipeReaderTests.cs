// Values, defaults, extends and overrides of recipes that are right.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class RecipeReaderTests : IDisposable
{
    private readonly RecipeFixture fixture = new();

    public void Dispose() => fixture.Dispose();

    [Fact]
    public void The_smallest_recipe_has_every_default()
    {
        Recipe recipe = fixture.ReadRight(RecipeFixture.Minimal);
        Assert.Equal("org/name", recipe.Base.Model);
        Assert.Equal("recipe", recipe.Name);
        Assert.Equal(fixture.At("recipe.yaml"), recipe.FilePath);
        DatasetSource source = Assert.Single(recipe.Dataset.Sources);
        Assert.Equal(fixture.At("data.jsonl"), source.Path);
        Assert.Equal(new RecipePlace(recipe.FilePath, 2, 23), source.Place);
        Assert.Equal(new TrainSection(), recipe.Train);
        Assert.Equal(new TemplateSection(), recipe.Template);
        Assert.Equal(["q_proj", "k_proj", "v_proj"], recipe.Adapter.TargetModules);
    }

    [Fact]
    public void The_recipe_of_the_documentation_is_read()
    {
        string yaml = File.ReadAllText(Path.Combine(RecipeFixture.Repository, "docs", "recipe.md"));
        yaml = yaml.Split("```yaml\n")[1].Split("```")[0];
        Recipe recipe = fixture.ReadRight(yaml);
        Assert.Equal(1.47, recipe.Train.NumTrainEpochs);
        Assert.Equal(5_000_000_000, recipe.Merge.MaxShardSize);
        Assert.Equal(1e-8, recipe.Train.AdamEpsilon);
        Assert.Equal("question", recipe.Dataset.Sources[0].Columns["prompt"]);
    }

    [Theory]
    [InlineData("1e-4", 1e-4)]
    [InlineData("1.0e-4", 1e-4)]
    [InlineData("+2E-5", 2e-5)]
    [InlineData(".5", 0.5)]
    [InlineData("0.0001", 1e-4)]
    public void A_number_may_be_written_in_every_form_of_yaml_and_without_a_point(string text, double expected) =>
        Assert.Equal(expected, fixture.ReadRight($"{RecipeFixture.Minimal}train: {{ learning_rate: {text} }}\n").Train.LearningRate);

    [Theory]
    [InlineData("5GB", 5_000_000_000)]
    [InlineData("500MB", 500_000_000)]
    [InlineData("1.5 KiB", 1536)]
    [InlineData("2GiB", 2147483648)]
    [InlineData("123456", 123456)]
    [InlineData("1e6", 1_000_000)]
    public void A_size_has_a_unit_or_is_in_bytes(string text, long expected) =>
        Assert.Equal(expected, fixture.ReadRight($"{RecipeFixture.Minimal}merge: {{ max_shard_size: {text} }}\n").Merge.MaxShardSize);

    [Theory]
    [InlineData("[q_proj, v_proj]", new[] { "q_proj", "v_proj" }, null)]
    [InlineData("q_proj", new[] { "q_proj" }, null)]
    [InlineData("self_attn.q_proj", new[] { "self_attn.q_proj" }, null)]
    [InlineData("all-linear", new string[0], "all-linear")]
    [InlineData("'.*\\.(q|v)_proj'", new string[0], ".*\\.(q|v)_proj")]
    public void Target_modules_is_a_list_a_name_or_a_pattern(string text, string[] names, string? pattern)
    {
        AdapterSection adapter = fixture.ReadRight($"{RecipeFixture.Minimal}adapter: {{ target_modules: {text} }}\n").Adapter;
        Assert.Equal(names, adapter.TargetModules);
        Assert.Equal(pattern, adapter.TargetModulesPattern);
    }

    [Fact]
    public void Null_is_a_value_where_the_key_says_so()
    {
        Recipe recipe = fixture.ReadRight($"{RecipeFixture.Minimal}train: {{ max_steps: null, warmup_steps: 0, early_stopping_patience: }}\ntemplate: {{ system: ~ }}\n");
        Assert.Null(recipe.Train.MaxSteps);
        Assert.Equal(0, recipe.Train.WarmupSteps);
        Assert.Null(recipe.Train.EarlyStoppingPatience);
        Assert.Null(recipe.Template.System);
    }

    [Fact]
    public void A_section_with_nothing_under_it_changes_nothing() =>
        Assert.Equal(new TrainSection(), fixture.ReadRight($"{RecipeFixture.Minimal}train:\n").Train);

    [Fact]
    public void Extended_maps_merge_key_by_key_and_lists_replace()
    {
        fixture.Write("below/base.yaml", "name: below\nbase: { model: ./model }\nadapter: { r: 4, lora_alpha: 8, target_modules: [a, b], rank_pattern: { x: 1, y: 2 } }\ndataset:\n  sources: [ { path: a.jsonl }, { path: b.jsonl } ]\n");
        Recipe recipe = fixture.ReadRight("extends: below/base.yaml\nadapter: { r: 16, target_modules: [c], rank_pattern: { y: 3 } }\ntrain:\n");
        Assert.Equal((16, 8), (recipe.Adapter.R, recipe.Adapter.LoraAlpha));
        Assert.Equal(["c"], recipe.Adapter.TargetModules);
        Assert.Equal([("x", 1), ("y", 3)], recipe.Adapter.RankPattern.Select(p => (p.Key, p.Value)));
        Assert.Equal("below", recipe.Name);
        Assert.Equal(fixture.At("below/model"), recipe.Base.Model);
        Assert.Equal([fixture.At("below/a.jsonl"), fixture.At("below/b.jsonl")], recipe.Dataset.Sources.Select(s => s.Path));
        Assert.Equal(new RecipePlace(fixture.At("below/base.yaml"), 3, 30), recipe.PlaceOf("adapter.lora_alpha"));
        Assert.Equal(new RecipePlace(fixture.At("recipe.yaml"), 2, 15), recipe.PlaceOf("adapter.r"));
    }

    [Fact]
    public void Of_several_extended_recipes_the_later_wins_and_a_preset_may_be_among_them()
    {
        fixture.Write("one.yaml", RecipeFixture.Minimal + "seed: 1\ntrain: { max_steps: 5 }\n");
        fixture.Write("two.yaml", "extends: one.yaml\nseed: 2\n");
        Recipe recipe = fixture.ReadRight("extends: [preset:lora-default, one.yaml, two.yaml]\n");
        Assert.Equal((2L, 5), (recipe.Seed, recipe.Train.MaxSteps));
        Assert.Equal("all-linear", recipe.Adapter.TargetModulesPattern);
    }

    [Fact]
    public void Overrides_win_and_the_last_one_most()
    {
        Recipe recipe = fixture.ReadRight(RecipeFixture.Minimal + "adapter: { r: 4, lora_alpha: 8 }\n", "adapter.r=8", "train.learning_rate=2e-4", "adapter={r: 16}", "template.system=null", "dataset.split={eval: 0.2}");
        Assert.Equal((16, 8), (recipe.Adapter.R, recipe.Adapter.LoraAlpha));
        Assert.Equal(2e-4, recipe.Train.LearningRate);
        Assert.Equal(0.2, recipe.Dataset.Split.Eval);
        Assert.Equal("--set adapter={r: 16}", recipe.PlaceOf("adapter.r").File);
    }

    [Fact]
    public void Paths_in_overrides_start_at_the_folder_given_else_at_the_recipes()
    {
        string path = fixture.Write("recipe.yaml", RecipeFixture.Minimal);
        Directory.CreateDirectory(fixture.At("elsewhere/models/tiny"));
        Recipe there = RecipeReader.Read(path, ["base.model=models/tiny", "adapter.init_from=x"], new DiagnosticBag(), fixture.At("elsewhere"))!;
        Recipe here = RecipeReader.Read(path, ["base.model=models/tiny", "adapter.init_from=x"], new DiagnosticBag())!;
        Assert.Equal(fixture.At("elsewhere/models/tiny"), there.Base.Model);
        Assert.Equal(fixture.At("elsewhere/x"), there.Adapter.InitFrom);
        Assert.Equal("models/tiny", here.Base.Model);
        Assert.Equal(fixture.At("x"), here.Adapter.InitFrom);
    }

    [Fact]
    public void A_model_is_a_directory_when_it_is_written_as_a_path_or_exists()
    {
        Directory.CreateDirectory(fixture.At("models/tiny"));
        string Model(string text) => fixture.ReadRight($"base: {{ model: {text} }}\ndataset: {{ sources: [ {{ path: x }} ] }}\n").Base.Model;
        Assert.Equal(fixture.At("models/tiny"), Model("models/tiny"));
        Assert.Equal(fixture.At("models/tiny"), Model("models/tiny/"));
        Assert.Equal(fixture.At("absent"), Model("./absent"));
        Assert.Equal("/absent", Model("/absent"));
        Assert.Equal("google/gemma-3-4b-it@main", Model("'google/gemma-3-4b-it@main'"));
    }

    [Theory]
    [InlineData("auto", "auto")]
    [InlineData("chatml", "chatml")]
    [InlineData("own.jinja", "@/own.jinja")]
    [InlineData("templates/own", "@/templates/own")]
    [InlineData("model:./other", "model:@/other")]
    [InlineData("model:org/name", "model:org/name")]
    public void A_chat_template_is_a_word_a_file_or_a_models(string text, string expected) =>
        Assert.Equal(expected.Replace("@", fixture.Folder, StringComparison.Ordinal), fixture.ReadRight($"{RecipeFixture.Minimal}template: {{ chat_template: '{text}' }}\n").Template.ChatTemplate);

    [Fact]
    public void Aliases_and_globs_and_a_byte_order_mark_are_fine()
    {
        Recipe recipe = fixture.ReadRight("\uFEFF" + RecipeFixture.Minimal.Replace("data.jsonl", "\"data/**/*.jsonl\"", StringComparison.Ordinal) + "train:\n  warmup_ratio: &x 0.1\n  weight_decay: *x\n");
        Assert.Equal(0.1, recipe.Train.WeightDecay);
        Assert.Equal(fixture.At("data/**/*.jsonl"), recipe.Dataset.Sources[0].Path);
    }
}
