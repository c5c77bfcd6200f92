// The tokenizer files of merged/: those that the recipe chose, so that whoever loads the model splits and renders text as training did.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Formats;
using LoraBuild.Core.IO;
using LoraBuild.Core.Tokenizers;

namespace LoraBuild.Worker.Stages;

internal static class MergedTokenizer
{
    private const string ConfigFile = "tokenizer_config.json";
    private const string TemplateFile = "chat_template.jinja";
    private const string MoreTemplates = "additional_chat_templates";

    /// <summary>What a tokenizer may consist of beside <see cref="StageInputs.TokenizerFiles"/>; left over from another one it would be loaded in its place.</summary>
    private static readonly string[] OtherFiles = ["vocab.json", "merges.txt", "vocab.txt"];

    /// <param name="merged">A directory that holds the base model's tokenizer files already.</param>
    public static void Write(StageWork work, string baseDirectory, string merged)
    {
        string tokenizer = work.TokenizerDirectory();
        if (Path.GetFullPath(tokenizer) != Path.GetFullPath(baseDirectory))
            Replace(tokenizer, merged);
        if (work.Recipe.Template.ChatTemplate == "auto")
            return;
        ChatTemplate template = TemplateChoice.Load(work.Recipe.Template.ChatTemplate, Tokenizer.Load(tokenizer, work.Reporter), tokenizer, work.Recipe.PlaceOf("template.chat_template"));
        SetTemplate(template.Source, merged);
    }

    private static void Replace(string tokenizer, string merged)
    {
        foreach (string name in StageInputs.TokenizerFiles.Concat(OtherFiles))
        {
            string source = Path.Combine(tokenizer, name);
            if (File.Exists(source))
                AtomicFile.WriteAllBytes(Path.Combine(merged, name), File.ReadAllBytes(source));
            else
                File.Delete(Path.Combine(merged, name));
        }

        RemoveMoreTemplates(merged);
    }

    /// <summary>transformers reads chat_template.jinja, older versions and other programs tokenizer_config.json: both say the same.</summary>
    private static void SetTemplate(string source, string merged)
    {
        AtomicFile.WriteAllText(Path.Combine(merged, TemplateFile), source);
        File.Delete(Path.Combine(merged, "chat_template.json"));
        RemoveMoreTemplates(merged);
        string file = Path.Combine(merged, ConfigFile);
        if (!File.Exists(file))
            return;
        JsonObject config = JsonFile.ReadObject(file, "LB0706", "the tokenizer's settings");
        config["chat_template"] = source;
        AtomicFile.WriteAllText(file, config.ToJsonString(StageManifest.Json) + "\n");
    }

    private static void RemoveMoreTemplates(string merged)
    {
        string directory = Path.Combine(merged, MoreTemplates);
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }
}
