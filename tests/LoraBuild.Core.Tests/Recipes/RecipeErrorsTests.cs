// Every error of a recipe: its code, its line and column, and what it says.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class RecipeErrorsTests : IDisposable
{
    private readonly RecipeFixture fixture = new();

    public void Dispose() => fixture.Dispose();

    // Lines 1 and 2 are the required keys; what is wrong begins in line 3.
    [Theory]
    [InlineData("adapter: { r: -4 }", 3, 15, "LB0012", "adapter.r must be ≥ 1, got -4. Common values are 8–64.")]
    [InlineData("adapter: { r: 99999999999 }", 3, 15, "LB0012", "adapter.r must be ≥ 1 and ≤ 2147483647, got 99999999999. Common values are 8–64.")]
    [InlineData("adapter: { lora_dropout: 1 }", 3, 26, "LB0012", "adapter.lora_dropout must be ≥ 0 and < 1, got 1. Common values are 0–0.1.")]
    [InlineData("train:\n  learning_rate: 0", 4, 18, "LB0012", "train.learning_rate must be > 0 and ≤ 1, got 0. Common values are 1e-5 to 5e-4.")]
    [InlineData("train: { save_steps: 1.5 }", 3, 22, "LB0012", "train.save_steps must be a whole number of steps (≥ 1) or a fraction of the run (≥ 0, < 1), got 1.5. Common values are 0.1–0.25 or 50–500.")]
    [InlineData("merge: { max_shard_size: 0 }", 3, 26, "LB0012", "merge.max_shard_size must be at least 1 byte, got 0. Common values are 2GB–10GB.")]
    [InlineData("name: ../up", 3, 7, "LB0012", "name must be made of letters, digits, spaces and . _ - (at most 100, no . or space at an end), because it becomes part of file names; got ../up.")]
    [InlineData("adapter: { rank_pattern: { q_proj: 0 } }", 3, 36, "LB0012", "adapter.rank_pattern.q_proj must be ≥ 1, got 0. Common values are 8–64.")]
    [InlineData("adapter: { layers_to_transform: [1, -1] }", 3, 37, "LB0012", "adapter.layers_to_transform[1] must be ≥ 0, got -1.")]
    [InlineData("seed: 1e3", 3, 7, "LB0006", "seed must be a whole number, got 1e3.")]
    [InlineData("seed: '7'", 3, 7, "LB0006", "seed must be a whole number, got the text \"7\".")]
    [InlineData("train: { learning_rate: fast }", 3, 25, "LB0006", "train.learning_rate must be a number, got fast.")]
    [InlineData("train: { learning_rate: .nan }", 3, 25, "LB0006", "train.learning_rate must be a number, got .nan.")]
    [InlineData("train: { learning_rate: 1e999 }", 3, 25, "LB0006", "train.learning_rate must be a number, got 1e999.")]
    [InlineData("train: { learning_rate: 1,5 }", 3, 27, "LB0005", "unknown key '5' in train.")]
    [InlineData("train: { learning_rate: null }", 3, 25, "LB0006", "train.learning_rate must be a number, got nothing (null).")]
    [InlineData("train: { shuffle: yes }", 3, 19, "LB0006", "train.shuffle must be true or false, got yes.")]
    [InlineData("train: { shuffle: \"true\" }", 3, 19, "LB0006", "train.shuffle must be true or false, got the text \"true\".")]
    [InlineData("train: 5", 3, 8, "LB0006", "train must be a map with keys such as num_train_epochs, max_steps, per_device_train_batch_size, got 5.")]
    [InlineData("train: { max_steps: [1, 2] }", 3, 21, "LB0006", "train.max_steps must be a whole number, got a list of 2.")]
    [InlineData("template: { system: { a: b } }", 3, 21, "LB0006", "template.system must be text (put quotes around text with \": \"), got a map (a).")]
    [InlineData("template: { now: 2025-02-30 }", 3, 18, "LB0006", "template.now must be a date such as 2025-01-31 or 2025-01-31T15:04:05, got 2025-02-30.")]
    [InlineData("template: { now: today }", 3, 18, "LB0006", "template.now must be a date such as 2025-01-31 or 2025-01-31T15:04:05, got today.")]
    [InlineData("template: { system: [a] }", 3, 21, "LB0006", "template.system must be text, got a list of 1.")]
    [InlineData("merge: { max_shard_size: 5XB }", 3, 26, "LB0006", "merge.max_shard_size must be a size such as 5GB, 500MB or a number of bytes, got 5XB.")]
    [InlineData("merge: { max_shard_size: [] }", 3, 26, "LB0006", "merge.max_shard_size must be a size such as 5GB, got a list of 0.")]
    [InlineData("adapter: { target_modules: {} }", 3, 28, "LB0006", "adapter.target_modules must be a list of module names, all-linear, or a regular expression, got an empty map.")]
    [InlineData("adapter: { target_modules: 'q_proj, v_proj' }", 3, 28, "LB0006", "adapter.target_modules must be a list of module names: [q_proj, v_proj], got the text \"q_proj, v_proj\".")]
    [InlineData("adapter: { target_modules: [[a]] }", 3, 29, "LB0006", "adapter.target_modules[0] must be text, got a list of 1.")]
    [InlineData("adapter: { exclude_modules: lm_head }", 3, 29, "LB0006", "adapter.exclude_modules must be a list of module names, got lm_head.")]
    [InlineData("adapter: { rank_pattern: [] }", 3, 26, "LB0006", "adapter.rank_pattern must be a map of module name to r, got a list of 0.")]
    [InlineData("adapter: { init_from: '' }", 3, 23, "LB0006", "adapter.init_from must be a directory, got the text \"\".")]
    [InlineData("template: { chat_template: ' ' }", 3, 28, "LB0006", "template.chat_template must be auto, a file, a name or model:DIR, got the text \" \".")]
    [InlineData("adapter: { target_modules: '(q|v' }", 3, 28, "LB0016", "adapter.target_modules is not a regular expression: ")]
    [InlineData("train: { lr_scheduler_type: cosin }", 3, 29, "LB0008", "train.lr_scheduler_type must be one of linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt, cosine_with_min_lr, cosine_warmup_with_min_lr, warmup_stable_decay, wsd, got cosin. Did you mean cosine?")]
    [InlineData("base: { dtype: fp8 }", 3, 1, "LB0004", "the key 'base' is given twice (first in line 1); remove one of them.")]
    [InlineData("export: { gguf: [q9] }", 3, 18, "LB0008", "export.gguf[0] must be one of f32, f16, bf16, q8_0, ")]
    [InlineData("export: { max_perplexity_increase: { q9: 1 } }", 3, 38, "LB0008", "a key of export.max_perplexity_increase must be one of f32, ")]
    [InlineData("train: { learning_rat: 1 }", 3, 10, "LB0005", "unknown key 'learning_rat' in train. Did you mean train.learning_rate?")]
    [InlineData("trian: { learning_rate: 1 }", 3, 1, "LB0005", "unknown key 'trian'. Did you mean train?")]
    [InlineData("extend: a.yaml", 3, 1, "LB0005", "unknown key 'extend'. Did you mean extends?")]
    [InlineData("learning-rate: 1", 3, 1, "LB0005", "unknown key 'learning-rate'. Did you mean train.learning_rate?")]
    [InlineData("train: { eval: 0.1 }", 3, 10, "LB0005", "unknown key 'eval' in train. Did you mean dataset.split.eval?")]
    [InlineData("train: { epochs: 3 }", 3, 10, "LB0005", "unknown key 'epochs' in train. Did you mean train.num_train_epochs?")]
    [InlineData("adapter: { alpha: 3 }", 3, 12, "LB0005", "unknown key 'alpha' in adapter. Did you mean adapter.lora_alpha or adapter.alpha_pattern?")]
    [InlineData("merge: { zzzzzzzzzzzzzz: 0.1 }", 3, 10, "LB0005", "unknown key 'zzzzzzzzzzzzzz' in merge. Keys here are into, dtype, max_shard_size, max_drift.")]
    [InlineData("adapter: { type: none, init_from: x }", 3, 35, "LB0010", "adapter.init_from gives an adapter, and adapter.type none trains the model's own weights.")]
    [InlineData("adapter: { type: none, modules_to_save: [lm_head] }", 3, 41, "LB0010", "adapter.modules_to_save belongs to an adapter")]
    [InlineData("adapter: { target_modules: [] }", 3, 28, "LB0010", "adapter.target_modules names no module")]
    [InlineData("adapter: { target_modules: all-linear, layers_to_transform: [0] }", 3, 61, "LB0010", "adapter.layers_to_transform counts only beside a list of target_modules")]
    [InlineData("train: { activation_offloading: true }", 3, 33, "LB0010", "train.activation_offloading moves what train.gradient_checkpointing keeps")]
    [InlineData("train: { lr_scheduler_kwargs: { power: 2 } }", 3, 31, "LB0010", "train.lr_scheduler_kwargs.power is no argument of the schedule cosine, which takes num_cycles.")]
    [InlineData("train: { lr_scheduler_type: wsd, lr_scheduler_kwargs: { num_decay_steps: 2.5 } }", 3, 55, "LB0010", "train.lr_scheduler_kwargs.num_decay_steps must be a whole number of steps")]
    [InlineData("train: { lr_scheduler_type: wsd }", 3, 29, "LB0010", "the schedule wsd needs num_decay_steps")]
    [InlineData("train: { lr_scheduler_type: cosine_with_min_lr }", 3, 29, "LB0010", "the schedule cosine_with_min_lr needs one of min_lr and min_lr_rate")]
    [InlineData("train: { lr_scheduler_type: polynomial, lr_scheduler_kwargs: { lr_end: 1 } }", 3, 62, "LB0010", "train.lr_scheduler_kwargs.lr_end (1) must be below train.learning_rate (0.0001).")]
    [InlineData("train: { lr_scheduler_kwargs: { cycles: 2 } }", 3, 33, "LB0008", "a key of train.lr_scheduler_kwargs must be one of decay_type, lr_end")]
    [InlineData("seed: !!int 5", 3, 7, "LB0002", "the YAML tag tag:yaml.org,2002:int has no meaning in a recipe; remove it.")]
    [InlineData("seed: *nothing", 3, 7, "LB0002", "the alias *nothing has no anchor &nothing before it.")]
    [InlineData("[a]: 5", 3, 1, "LB0002", "a key must be a plain word, not a list or a map.")]
    [InlineData("---\nseed: 5", 3, 1, "LB0002", "a second YAML document (---) begins here; a recipe is one document.")]
    [InlineData("train:\n\tlearning_rate: 1", 4, 1, "LB0002", "line 4 is indented with a tab; YAML allows only spaces there.")]
    [InlineData("train: [1, 2", 4, 1, "LB0002", "not valid YAML: ")]
    [InlineData("seed: @5", 3, 7, "LB0002", "not valid YAML: ")]
    public void An_error_stands_at_its_value_and_says_what_is_allowed(string yaml, int line, int column, string code, string message)
    {
        Diagnostic found = Assert.Single(fixture.Read(RecipeFixture.Minimal + yaml + "\n").Diagnostics);
        Assert.Equal((code, fixture.At("recipe.yaml"), line, column), (found.Code, found.File, found.Line, found.Column));
        Assert.StartsWith(message, found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 1, 1, "LB0009", "the recipe has no base.model. Write a directory or a hub id, such as google/gemma-3-4b-it.")]
    [InlineData("base: { dtype: auto }\nextends:", 1, 1, "LB0009", "the recipe has no base.model.")]
    [InlineData("base: { model: x }\n", 1, 1, "LB0009", "the recipe has no dataset.sources. Write a list of files, such as [{path: data.jsonl}].")]
    [InlineData("base: { model: x }\nseed: 1\ndataset:\n  deduplicate: true\n", 3, 1, "LB0009", "the recipe has no dataset.sources.")]
    [InlineData("base: { model: x }\ndataset: { sources: [] }\n", 2, 21, "LB0009", "dataset.sources is empty; at least one source is needed.")]
    [InlineData("base: { model: x }\ndataset: { sources: [ { format: text } ] }\n", 2, 23, "LB0009", "an item of dataset.sources has no path; each source needs one.")]
    [InlineData("base: { model: x }\ndataset: { sources: [ data.jsonl ] }\n", 2, 23, "LB0006", "an item of dataset.sources must be a map with a path, such as {path: data.jsonl}, got data.jsonl.")]
    [InlineData("base: { model: x }\ndataset: { sources: data.jsonl }\n", 2, 21, "LB0006", "dataset.sources must be a list of sources, each a map with a path, got data.jsonl.")]
    [InlineData("base: { model: x }\ndataset: { sources: [ { path: a, fromat: text } ] }\n", 2, 34, "LB0005", "unknown key 'fromat' in dataset.sources[]. Did you mean dataset.sources[].format?")]
    [InlineData("base: { model: x }\ndataset: { sources: [ { path: a, weight: 0 } ] }\n", 2, 42, "LB0012", "dataset.sources[].weight must be > 0, got 0. Common values are 0.1–3.")]
    [InlineData("base: { model: x }\ndataset: { sources: [ { path: a } ], split: { eval: 0.5, test: 0.5 } }\n", 2, 64, "LB0010", "dataset.split.eval (0.5) and dataset.split.test (0.5) leave nothing to train on; together they must be < 1.")]
    [InlineData("base: { model: x }\ndataset: { sources: [ { path: a } ], split: { eval: 0 } }\ntrain: { early_stopping_patience: 2 }\n", 3, 35, "LB0010", "train.early_stopping_patience needs an evaluation set, and dataset.split.eval is 0.")]
    [InlineData("base: { model: x, compute_dtype: float16 }\ndataset: { sources: [ { path: a } ] }\n", 1, 34, "LB0015", "base.compute_dtype: float16 is not supported yet. Use float32 or bfloat16.")]
    [InlineData("base: { model: x, weights: random, quantization: nf4 }\ndataset: { sources: [ { path: a } ] }\n", 1, 50, "LB0010", "base.weights random has fresh weights, which cannot be held as nf4.")]
    [InlineData("base: { model: x, quantization: nf4 }\nadapter: { type: none }\ndataset: { sources: [ { path: a } ] }\n", 1, 33, "LB0010", "base.quantization nf4 freezes the weights, and adapter.type none trains them.")]
    [InlineData("base: { model: '' }\ndataset: { sources: [ { path: a } ] }\n", 1, 16, "LB0006", "base.model must be a directory or a hub id, got the text \"\".")]
    [InlineData("- a\n", 1, 1, "LB0006", "a recipe must be a map of keys such as base, dataset, train, got a list of 1.")]
    public void A_missing_or_contradicting_value_is_reported_where_it_should_be_mended(string yaml, int line, int column, string code, string message)
    {
        Diagnostic found = fixture.Read(yaml).Diagnostics[0];
        Assert.Equal((code, fixture.At("recipe.yaml"), line, column), (found.Code, found.File, found.Line, found.Column));
        Assert.StartsWith(message, found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_errors_of_all_files_are_reported_together_each_in_its_own_file()
    {
        fixture.Write("base.yaml", "base: { model: x, dtype: int4 }\nadapter:\n  r: 0\n  oops: 1\n  lora_alpha: -1\n");
        (_, IReadOnlyList<Diagnostic> found) = fixture.Read("extends: base.yaml\nadapter: { lora_alpha: 4, bias: some }\ntrain: { shuffle: 1 }\n", "train.max_steps=-1", "nonsense");
        Assert.Equal(
            [
                ("LB0014", "--set nonsense", 0, 0),
                ("LB0008", fixture.At("base.yaml"), 1, 26),
                ("LB0012", fixture.At("base.yaml"), 3, 6),
                ("LB0005", fixture.At("base.yaml"), 4, 3),
                ("LB0008", fixture.At("recipe.yaml"), 2, 33),
                ("LB0006", fixture.At("recipe.yaml"), 3, 19),
                ("LB0012", "--set train.max_steps=-1", 0, 0),
                ("LB0009", fixture.At("recipe.yaml"), 1, 1),
            ],
            found.Select(d => (d.Code, d.File!, d.Line, d.Column)));
    }

    [Fact]
    public void Both_values_of_a_key_that_is_given_twice_are_not_needed_to_see_the_other_errors()
    {
        (_, IReadOnlyList<Diagnostic> found) = fixture.Read(RecipeFixture.Minimal + "train: { max_steps: 1, max_steps: 2, shuffle: 3, shuffle: 4 }\n");
        Assert.Equal([("LB0004", 24), ("LB0004", 50), ("LB0006", 47)], found.Select(d => (d.Code, d.Column)));
    }

    [Fact]
    public void A_file_that_two_others_extend_is_reported_once()
    {
        fixture.Write("base.yaml", "seed: [\n");
        fixture.Write("one.yaml", "extends: base.yaml\n");
        fixture.Write("two.yaml", "extends: base.yaml\n");
        Diagnostic found = Assert.Single(fixture.Read("extends: [one.yaml, two.yaml]\n" + RecipeFixture.Minimal).Diagnostics);
        Assert.Equal(("LB0002", fixture.At("base.yaml")), (found.Code, found.File));
    }

    [Fact]
    public void A_circle_of_extends_is_an_error_with_the_chain()
    {
        fixture.Write("a.yaml", "seed: 1\nextends: b.yaml\n");
        fixture.Write("b.yaml", "extends: [preset:lora-default, a.yaml]\n");
        Diagnostic found = Assert.Single(fixture.Read("extends: a.yaml\n" + RecipeFixture.Minimal).Diagnostics);
        Assert.Equal(("LB0011", fixture.At("b.yaml"), 1, 32), (found.Code, found.File, found.Line, found.Column));
        Assert.Equal("extends goes round in a circle: a.yaml → b.yaml → a.yaml. Remove one of these extends.", found.Message);
    }

    [Theory]
    [InlineData("extends: preset:lora-defualt", "LB0013", 10, "there is no preset 'lora-defualt'. Presets are lora-attention, lora-default. Did you mean preset:lora-default?")]
    [InlineData("extends: [preset:../x]", "LB0013", 11, "there is no preset '../x'.")]
    [InlineData("extends: { a: b }", "LB0006", 10, "extends must be text")]
    [InlineData("extends: bas.yaml", "LB0013", 10, "extends names @/bas.yaml, which does not exist; a relative path starts at this file's folder. Did you mean base.yaml?")]
    public void Extends_names_what_exists(string yaml, string code, int column, string message)
    {
        fixture.Write("base.yaml", "");
        Diagnostic found = Assert.Single(fixture.Read(yaml + "\n" + RecipeFixture.Minimal).Diagnostics);
        Assert.Equal((code, 1, column), (found.Code, found.Line, found.Column));
        Assert.StartsWith(message.Replace("@", fixture.Folder, StringComparison.Ordinal), found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("adapter.r", "LB0014", "an override must have the form key=value, such as train.learning_rate=2e-4; got 'adapter.r'.")]
    [InlineData("=5", "LB0014", "an override must have the form key=value")]
    [InlineData("a..b=5", "LB0014", "an override must have the form key=value")]
    [InlineData("extends=x", "LB0014", "extends cannot be overridden; write it in the recipe.")]
    [InlineData("adapter.r=-4", "LB0012", "adapter.r must be ≥ 1, got -4. Common values are 8–64.")]
    [InlineData("adapter.rr=4", "LB0005", "unknown key 'rr' in adapter. Did you mean adapter.r?")]
    [InlineData("adapter.target_modules=[", "LB0002", "not valid YAML: ")]
    [InlineData("train={max_steps: 1, max_steps: 2}", "LB0004", "the key 'max_steps' is given twice; remove one of them.")]
    [InlineData("base.model=", "LB0006", "base.model must be text, got nothing (null).")]
    public void An_override_is_reported_as_it_was_written(string text, string code, string message)
    {
        Diagnostic found = Assert.Single(fixture.Read(RecipeFixture.Minimal, text).Diagnostics);
        Assert.Equal((code, $"--set {text}", 0, 0), (found.Code, found.File, found.Line, found.Column));
        Assert.StartsWith(message, found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_recipe_names_those_that_are_there()
    {
        fixture.Write("chatbot-v1.yaml", "");
        DiagnosticBag bag = new();
        Assert.Null(RecipeReader.Read(fixture.At("chatbot-v11.yaml"), [], bag));
        Assert.Null(RecipeReader.Read(fixture.At("something.yaml"), [], bag));
        Assert.Null(RecipeReader.Read(fixture.At("nowhere/something.yaml"), [], bag));
        Assert.Equal(
            [
                $"{fixture.At("chatbot-v11.yaml")}: error LB0001: the recipe {fixture.At("chatbot-v11.yaml")} does not exist. Did you mean chatbot-v1.yaml?",
                $"{fixture.At("something.yaml")}: error LB0001: the recipe {fixture.At("something.yaml")} does not exist. Recipes there are chatbot-v1.yaml.",
                $"{fixture.At("nowhere/something.yaml")}: error LB0001: the recipe {fixture.At("nowhere/something.yaml")} does not exist.",
            ],
            bag.All.Select(d => d.ToString()));
    }

    [Fact]
    public void A_folder_and_a_file_that_is_not_text_are_no_recipes()
    {
        DiagnosticBag bag = new();
        Assert.Null(RecipeReader.Read(fixture.Folder, [], bag));
        File.WriteAllBytes(fixture.At("binary.yaml"), [0x61, 0xFF, 0xFE, 0x00]);
        Assert.Null(RecipeReader.Read(fixture.At("binary.yaml"), [], bag));
        Assert.Equal([("LB0001", fixture.Folder), ("LB0002", fixture.At("binary.yaml"))], bag.All.Select(d => (d.Code, d.File!)));
    }
}
