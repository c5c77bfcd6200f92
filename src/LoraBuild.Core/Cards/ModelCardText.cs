// A model card as Markdown with the front matter that the hub reads. Equal data give equal text: no dates, no paths, sorted where order means nothing.
using System.Globalization;
using System.Text;

namespace LoraBuild.Core.Cards;

public static class ModelCardText
{
    private const string HubPages = "https://huggingface.co/";

    public static string Of(ModelCard card)
    {
        StringBuilder text = new(Head(card).ToString());
        text.Append(CultureInfo.InvariantCulture, $"\n# {Title(card)}\n\n{Summary(card)}\n\n");
        AddBase(text, card);
        AddAdapter(text, card.Adapter);
        AddData(text, card.Data);
        AddResults(text, card);
        AddRecipe(text, card.Recipe);
        CardUsage.Add(text, card);
        return text.ToString();
    }

    private static FrontMatter Head(ModelCard card)
    {
        CardLicense? license = card.Base.License;
        bool isTuned = card.Base.HubId is not null && !card.Base.IsShapeOnly;
        List<string> tags = [card.Kind == CardKind.Full ? "full-fine-tuning" : card.Adapter is { UseDora: true } ? "dora" : "lora", "lorabuild"];
        if (isTuned)
            tags.Add(card.Kind == CardKind.Adapter ? $"base_model:adapter:{card.Base.HubId}" : $"base_model:finetune:{card.Base.HubId}");
        if (card.Kind == CardKind.Adapter)
            tags.Add("transformers");
        return new FrontMatter()
            .Add("base_model", isTuned ? card.Base.HubId : null)
            .Add("base_model_relation", !isTuned ? null : card.Kind == CardKind.Adapter ? "adapter" : "finetune")
            .Add("library_name", card.Kind == CardKind.Adapter ? "peft" : "transformers")
            .Add("license", license?.Id)
            .Add("license_name", license?.Name)
            .Add("license_link", Link(card, license))
            .Add("pipeline_tag", "text-generation")
            .Add("tags", [.. tags.Order(StringComparer.Ordinal)]);
    }

    /// <summary>A file's name means one beside the base model's card, which is not beside this one.</summary>
    private static string? Link(ModelCard card, CardLicense? license)
    {
        if (license?.Link is not { } link || link.StartsWith("https://", StringComparison.Ordinal) || link.StartsWith("http://", StringComparison.Ordinal))
            return license?.Link;
        return card.Base.HubId is { } id ? $"{HubPages}{id}/blob/{card.Base.Commit ?? "main"}/{link}" : null;
    }

    private static string Title(ModelCard card) => card.Kind switch
    {
        CardKind.Adapter => $"{AdapterWord(card)} adapter for {card.Base.Name}",
        CardKind.Merged => $"{card.Base.Name} with a {AdapterWord(card)} adapter merged in",
        _ when card.Base.IsShapeOnly => $"A model in the shape of {card.Base.Name}",
        _ => $"{card.Base.Name}, fine-tuned",
    };

    private static string Summary(ModelCard card) => card.Kind switch
    {
        CardKind.Adapter => $"The base model stays as it is; this directory holds what a {AdapterWord(card)} fine-tuning adds to it, in PEFT's format. Trained with LoraBuild.",
        CardKind.Merged => $"A complete model: the weights of the base model with those of a {AdapterWord(card)} adapter added. {(card.Training is null ? "Merged" : "Trained and merged")} with LoraBuild.",
        _ when card.Base.IsShapeOnly => "Trained from random weights with LoraBuild.",
        _ => "All weights were trained, with LoraBuild.",
    };

    private static string AdapterWord(ModelCard card) => card.Adapter is { UseDora: true } ? "DoRA" : "LoRA";

    private static void AddBase(StringBuilder text, ModelCard card)
    {
        CardBase b = card.Base;
        text.Append("| | |\n|---|---|\n");
        string name = b.HubId is { } id ? $"[{id}]({HubPages}{id})" : Code(b.Name);
        Row(b.IsShapeOnly ? "shape" : "base model", name);
        if (b.Commit is not null)
            Row("revision", b.Revision is null || b.Revision == b.Commit ? Code(b.Commit) : $"{Code(b.Revision)}, commit {Code(b.Commit)}");
        Row("its license", b.License is { } license ? $"{license.Id}{(license.Name is null ? "" : $" ({license.Name})")}" : "not named in the base model's files; look it up before this model is passed on");
        text.Append('\n');

        void Row(string key, string value) => text.Append("| ").Append(key).Append(" | ").Append(value.Replace("|", "\\|", StringComparison.Ordinal)).Append(" |\n");
    }

    private static void AddAdapter(StringBuilder text, CardAdapter? adapter)
    {
        if (adapter is null)
            return;
        text.Append(CultureInfo.InvariantCulture, $"r {adapter.R}, lora_alpha {adapter.LoraAlpha}, lora_dropout {adapter.LoraDropout}{(adapter.UseRslora ? ", rsLoRA" : "")}; on {List(adapter.TargetModules)}");
        text.Append(adapter.ModulesToSave.Count == 0 ? ".\n\n" : $"; trained whole: {List(adapter.ModulesToSave)}.\n\n");

        static string List(IReadOnlyList<string> names) => string.Join(", ", names.Order(StringComparer.Ordinal).Select(Code));
    }

    private static void AddData(StringBuilder text, IReadOnlyList<CardSplit> data)
    {
        if (data.Count == 0)
            return;
        text.Append("## Data\n\n| split | documents | tokens | of them targets | SHA-256 of the data | SHA-256 of the tokens |\n|---|---:|---:|---:|---|---|\n");
        foreach (CardSplit s in data)
            text.Append(CultureInfo.InvariantCulture, $"| {s.Split} | {s.Documents:N0} | {s.Tokens:N0} | {s.TargetTokens:N0} | {(s.DataSha256 is null ? "" : Code(s.DataSha256))} | {Code(s.TokensSha256)} |\n");
        text.Append("\nThe hashes are those of `dataset/SPLIT.jsonl` and `tokens/SPLIT.safetensors` in the pipeline's directory.\n\n");
    }

    private static void AddResults(StringBuilder text, ModelCard card)
    {
        if (card.Training is { } t)
        {
            text.Append(CultureInfo.InvariantCulture, $"## Training\n\n{t.Steps:N0} optimizer steps, {t.Epochs:0.##} epochs; loss {t.FirstLoss:F4} at the first step, {t.LastLoss:F4} at the last");
            text.Append(t.Best is { } best ? string.Create(CultureInfo.InvariantCulture, $"; lowest loss on held-out documents {best.Loss:F4} (perplexity {best.Perplexity:F3}) at step {best.Step:N0}.\n\n") : ".\n\n");
        }

        if (card.Evaluation.Count == 0)
            return;
        text.Append("## Evaluation\n\nOn the same held-out tokens, which training never saw:\n\n| model | loss | perplexity | tokens |\n|---|---:|---:|---:|\n");
        foreach (CardMeasurement m in card.Evaluation)
            text.Append(CultureInfo.InvariantCulture, $"| {m.Model} | {m.Loss:F4} | {m.Perplexity:F3} | {m.Tokens:N0} |\n");
        text.Append('\n');
    }

    private static void AddRecipe(StringBuilder text, IReadOnlyList<string> recipe)
    {
        if (recipe.Count > 0)
            text.Append("## Recipe\n\nThe keys of the LoraBuild recipe that decided the weights, defaults included; directories are not named.\n\n").Append(Block("yaml", string.Join('\n', recipe)));
    }

    /// <summary>A fenced block; the fence is longer than any in the text.</summary>
    internal static string Block(string language, string text)
    {
        string fence = new('`', Math.Max(3, LongestRun(text) + 1));
        return $"{fence}{language}\n{text}\n{fence}\n\n";
    }

    internal static string Code(string text)
    {
        string ticks = new('`', LongestRun(text) + 1);
        return text.StartsWith('`') || text.EndsWith('`') ? $"{ticks} {text} {ticks}" : ticks + text + ticks;
    }

    private static int LongestRun(string text)
    {
        int longest = 0, run = 0;
        foreach (char c in text)
        {
            run = c == '`' ? run + 1 : 0;
            longest = Math.Max(longest, run);
        }

        return longest;
    }
}
