// The table of keys: complete, and its canonical text says exactly what a stage reads.
using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using LoraBuild.Core.Recipes;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class RecipeKeysTests : IDisposable
{
    private readonly RecipeFixture fixture = new();

    public void Dispose() => fixture.Dispose();

    [Fact]
    public void Every_property_of_the_records_has_a_key_and_the_reverse()
    {
        // Not keys: what the reader itself puts in, and the pattern, which target_modules sets.
        string[] notKeys = ["file_path", "places", "place", "adapter.target_modules_pattern", "dataset.sources[].place", "dataset.split.eval_sources[].place"];
        IEnumerable<string> properties = Properties(typeof(Recipe), "").Except(notKeys).Append("extends");
        Assert.Equal(properties.Order(StringComparer.Ordinal), RecipeKeys.All.Select(k => k.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Keys_have_a_description_and_defaults_come_from_the_records()
    {
        Assert.All(RecipeKeys.All, key => Assert.EndsWith(".", key.Description, StringComparison.Ordinal));
        Assert.All(RecipeKeys.All, key => Assert.False(string.IsNullOrEmpty(key.Default)));
        Assert.Equal("0.0001", RecipeKeys.All.Single(k => k.Name == "train.learning_rate").Default);
        Assert.Equal("[q_proj, k_proj, v_proj]", RecipeKeys.All.Single(k => k.Name == "adapter.target_modules").Default);
    }

    [Fact]
    public void Every_default_reads_back_as_itself()
    {
        foreach (RecipeKey key in RecipeKeys.All.Where(k => k.Default is not "required" && !k.Name.Contains('[', StringComparison.Ordinal) && k.Name is not "extends" and not "name"))
        {
            Recipe recipe = fixture.ReadRight(RecipeFixture.Minimal, $"{key.Name}={key.Default}");
            foreach (Stage stage in Enum.GetValues<Stage>())
                Assert.Equal(RecipeKeys.CanonicalText(fixture.ReadRight(RecipeFixture.Minimal), stage), RecipeKeys.CanonicalText(recipe, stage));
        }
    }

    [Theory]
    [InlineData("train.logging_steps=7", "")]
    [InlineData("train.save_total_limit=7", "")]
    [InlineData("train.save_steps=7", "")]
    [InlineData("evaluate.batch_tokens=512", "Train Evaluate")]
    [InlineData("dataset.sources=[{path: other.jsonl}]", "Prepare")]
    [InlineData("dataset.sources=[{path: data.jsonl}, {path: x.safetensors, format: tokens}]", "Prepare Template")]
    [InlineData("name=other", "Export")]
    [InlineData("train.learning_rate=2e-4", "Train")]
    [InlineData("adapter.r=9", "Train")]
    [InlineData("adapter.target_modules=all-linear", "Train")]
    [InlineData("template.packing=false", "Template Train")]
    [InlineData("train.per_device_train_batch_size=7", "Template Train")]
    [InlineData("template.max_length=99", "Template Train")]
    [InlineData("template.loss=all", "Template")]
    [InlineData("dataset.deduplicate=false", "Prepare")]
    [InlineData("dataset.split.eval=0.2", "Prepare Template")]
    [InlineData("evaluate.prompts=[x]", "Evaluate")]
    [InlineData("merge.max_shard_size=1GB", "Merge")]
    [InlineData("export.gguf=[f32]", "Export")]
    [InlineData("base.model=another/model", "Template Train Evaluate Merge")]
    public void A_change_makes_stale_the_stages_that_read_the_key(string change, string stages)
    {
        Recipe before = fixture.ReadRight(RecipeFixture.Minimal);
        Recipe after = fixture.ReadRight(RecipeFixture.Minimal, change);
        IEnumerable<Stage> stale = Enum.GetValues<Stage>().Where(s => RecipeKeys.CanonicalText(before, s) != RecipeKeys.CanonicalText(after, s));
        Assert.Equal(stages, string.Join(' ', stale));
    }

    [Fact]
    public void Canonical_text_is_the_same_wherever_the_recipe_and_its_model_lie()
    {
        const string Yaml = "base: { model: ./model, tokenizer: ../tokenizer }\ndataset: { sources: [ { path: sub/a.jsonl } ] }\nadapter: { init_from: x }\ntemplate: { chat_template: a.jinja }\n";
        Recipe here = fixture.ReadRight(Yaml);
        using RecipeFixture elsewhere = new();
        Recipe there = elsewhere.ReadRight(Yaml);
        foreach (Stage stage in Enum.GetValues<Stage>())
        {
            string text = RecipeKeys.CanonicalText(here, stage);
            Assert.Equal(text, RecipeKeys.CanonicalText(there, stage));
            Assert.DoesNotContain(Path.GetFileName(fixture.Folder), text, StringComparison.Ordinal);
        }

        Assert.Contains("path: sub/a.jsonl", RecipeKeys.CanonicalText(here, Stage.Prepare), StringComparison.Ordinal);
    }

    [Fact]
    public void Canonical_text_is_sorted_and_the_same_in_every_culture()
    {
        Recipe recipe = fixture.ReadRight(RecipeFixture.Minimal, "adapter.alpha_pattern={b: 1.5, a: 2}", "template.system=\"two\\nlines: \\\"x\\\"\"");
        string train = RecipeKeys.CanonicalText(recipe, Stage.Train);
        Assert.Contains("adapter.alpha_pattern: { a: 2, b: 1.5 }\n", train, StringComparison.Ordinal);
        Assert.Contains("template.system: \"two\\nlines: \\\"x\\\"\"\n", RecipeKeys.CanonicalText(recipe, Stage.Template), StringComparison.Ordinal);
        string[] lines = train.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(lines.Select(l => l.Split(':')[0]).Order(StringComparer.Ordinal), lines.Select(l => l.Split(':')[0]));

        CultureInfo before = CultureInfo.CurrentCulture;
        CultureInfo comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        comma.NumberFormat.NumberDecimalSeparator = ",";
        comma.NumberFormat.NegativeSign = "~";
        CultureInfo.CurrentCulture = comma;
        try
        {
            Recipe again = fixture.ReadRight(RecipeFixture.Minimal + "train: { learning_rate: 1.5e-4 }\nseed: -3\n", "adapter.alpha_pattern={b: 1.5, a: 2}");
            Assert.Equal((1.5e-4, -3L), (again.Train.LearningRate, again.Seed));
            Assert.Contains("adapter.alpha_pattern: { a: 2, b: 1.5 }\n", RecipeKeys.CanonicalText(again, Stage.Train), StringComparison.Ordinal);
            Assert.Contains("seed: -3\n", RecipeKeys.CanonicalText(again, Stage.Train), StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void Reading_does_not_depend_on_the_order_of_keys()
    {
        string[] sections =
        [
            "base:\n  model: org/name\n  dtype: float32\n",
            "dataset:\n  on_error: skip\n  sources: [ { path: a, weight: 2, format: text } ]\n  split: { test: 0.1, eval: 0.2 }\n",
            "template:\n  max_length: 128\n  system: hello\n  packing: false\n",
            "adapter:\n  r: 3\n  lora_alpha: 7\n  rank_pattern: { b: 1, a: 2 }\n  target_modules: '.*'\n",
            "train:\n  max_steps: 5\n  learning_rate: 1e-3\n  shuffle: false\n",
            "evaluate: { prompts: [one, two] }\n",
            "seed: 9\n",
            "name: x\n",
        ];
        Random random = new(3);
        string[] expected = Texts(string.Concat(sections));
        for (int round = 0; round < 50; round++)
            Assert.Equal(expected, Texts(string.Concat(Shuffled(sections, random).Select(s => ShuffleLines(s, random)))));

        string[] Texts(string yaml) => [.. Enum.GetValues<Stage>().Select(s => RecipeKeys.CanonicalText(fixture.ReadRight(yaml), s))];
    }

    private static string ShuffleLines(string section, Random random)
    {
        string[] lines = section.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return string.Join('\n', [lines[0], .. Shuffled(lines[1..], random)]) + "\n";
    }

    private static string[] Shuffled(string[] values, Random random)
    {
        string[] copy = [.. values];
        random.Shuffle(copy);
        return copy;
    }

    private static IEnumerable<string> Properties(Type type, string prefix)
    {
        foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            string name = prefix + Regex.Replace(property.Name, "(?<!^)([A-Z])", "_$1").ToLowerInvariant();
            bool isSection = property.PropertyType.Name.EndsWith("Section", StringComparison.Ordinal);
            if (!isSection)
                yield return name;
            if (isSection || property.PropertyType == typeof(IReadOnlyList<DatasetSource>))
            {
                foreach (string inner in Properties(isSection ? property.PropertyType : typeof(DatasetSource), name + (isSection ? "." : "[].")))
                    yield return inner;
            }
        }
    }
}
