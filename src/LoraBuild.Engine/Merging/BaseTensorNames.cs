// Finds the stored name of a module path: multimodal Gemma 3 files exist with three layouts of the same keys.
namespace LoraBuild.Engine.Merging;

internal static class BaseTensorNames
{
    /// <summary>In memory, and as transformers 5 and the public files write it.</summary>
    private static readonly (string Memory, string File)[] Prefixes =
    [
        ("model.language_model.", "language_model.model."),
        ("model.vision_tower.", "vision_tower."),
        ("model.vision_tower.", "vision_tower.vision_model."),
        ("model.multi_modal_projector.", "multi_modal_projector."),
        ("lm_head.", "language_model.lm_head."),
    ];

    /// <summary>The name under which the model's files hold this tensor, or null.</summary>
    public static string? Find(MergeBase model, string name)
    {
        if (model.Tensors.ContainsKey(name))
            return name;
        foreach ((string memory, string file) in Prefixes)
        {
            foreach ((string from, string to) in ((string, string)[])[(memory, file), (file, memory)])
            {
                if (name.StartsWith(from, StringComparison.Ordinal) && model.Tensors.ContainsKey(to + name[from.Length..]))
                    return to + name[from.Length..];
            }
        }

        return null;
    }

    /// <summary>The input embedding's name.</summary>
    public static string? Embedding(MergeBase model) =>
        Find(model, "model.embed_tokens.weight") ?? Find(model, "model.language_model.embed_tokens.weight");
}
