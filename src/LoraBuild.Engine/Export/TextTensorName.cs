// The text model inside a multimodal checkpoint: its tensors under the names that a text model's file has.
using LoraBuild.Core.Formats;

namespace LoraBuild.Engine.Export;

internal static class TextTensorName
{
    /// <summary>Gemma 3 around a text model exists in three layouts: public files and transformers 5 agree on the text, the names in memory differ.</summary>
    private static readonly (string Stored, string Text)[] Prefixes =
    [
        ("language_model.model.", "model."),
        ("model.language_model.", "model."),
        ("language_model.lm_head.", "lm_head."),
    ];

    private static readonly string[] Images = ["vision_tower.", "model.vision_tower.", "multi_modal_projector.", "model.multi_modal_projector."];

    /// <summary>Null: the tensor belongs to the images, not to the text.</summary>
    public static string? Of(string stored, ModelConfig config)
    {
        if (config.OuterModelType == config.ModelType || config.Raw["text_config"] is null)
            return stored;
        foreach ((string from, string to) in Prefixes)
        {
            if (stored.StartsWith(from, StringComparison.Ordinal))
                return to + stored[from.Length..];
        }

        return Images.Any(p => stored.StartsWith(p, StringComparison.Ordinal)) ? null : stored;
    }
}
