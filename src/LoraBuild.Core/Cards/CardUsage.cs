// How to load a model, by program: the part of a card that people copy.
using System.Text;
using System.Text.Json;

namespace LoraBuild.Core.Cards;

internal static class CardUsage
{
    public static void Add(StringBuilder text, ModelCard card)
    {
        text.Append("## Use\n\nCommands and paths start in this directory.\n\n");
        if (card.Kind == CardKind.Adapter)
            AddAdapter(text, card.Base);
        else
            AddModel(text, card.Kind);
    }

    private static void AddAdapter(StringBuilder text, CardBase b)
    {
        string model = JsonSerializer.Serialize(b.HubId ?? "path/to/" + b.Name, Formats.JsonFile.Indented);
        string arguments = b.HubId is not null && b.Commit is not null ? $"{model}, revision=\"{b.Commit}\"" : model;
        string name = b.HubId is null ? "path/to/" + b.Name : b.Commit is null ? b.HubId : $"{b.HubId}@{b.Commit}";
        text.Append("PEFT:\n\n").Append(ModelCardText.Block("python", $"""
            from peft import PeftModel
            from transformers import AutoModelForCausalLM, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained({arguments})
            base = AutoModelForCausalLM.from_pretrained({arguments}, dtype="auto")
            model = PeftModel.from_pretrained(base, ".")
            """));
        text.Append("transformers, with peft installed:\n\n").Append(ModelCardText.Block("python", $"""
            model = AutoModelForCausalLM.from_pretrained({arguments}, dtype="auto")
            model.load_adapter(".")
            """));
        text.Append("llama.cpp, beside a GGUF file of the base model:\n\n").Append(ModelCardText.Block("sh", $"""
            lorabuild export-gguf --model {Shell(name)} --type q8_0 --output base-q8_0.gguf
            lorabuild export-gguf --model {Shell(name)} --adapter . --type f16 --output adapter-f16.gguf
            llama-cli -m base-q8_0.gguf --lora adapter-f16.gguf
            """));
        text.Append("Ollama, merged into one file:\n\n").Append(ModelCardText.Block("sh", $"""
            lorabuild merge --model {Shell(name)} --adapter . --output merged
            lorabuild export-gguf --model merged --type q8_0 --output merged-q8_0.gguf
            echo 'FROM ./merged-q8_0.gguf' > Modelfile && ollama create my-model && ollama run my-model
            """));
    }

    private static void AddModel(StringBuilder text, CardKind kind)
    {
        text.Append("transformers:\n\n").Append(ModelCardText.Block("python", """
            from transformers import AutoModelForCausalLM, AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(".")
            model = AutoModelForCausalLM.from_pretrained(".", dtype="auto")
            """));
        text.Append("llama.cpp and Ollama, from GGUF:\n\n").Append(ModelCardText.Block("sh", """
            lorabuild export-gguf --model . --type q8_0 --output model-q8_0.gguf
            llama-cli -m model-q8_0.gguf
            echo 'FROM ./model-q8_0.gguf' > Modelfile && ollama create my-model && ollama run my-model
            """));
        text.Append("The pipeline that made this model has written GGUF files and a `Modelfile` with the chat template to `gguf/` beside it where its recipe asks for them");
        text.Append(kind == CardKind.Merged ? "; PEFT loads the adapter by itself from `adapter/`.\n" : ".\n");
    }

    private static string Shell(string text) => text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '-' or '_' or '@') ? text : $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
