// Chooses a normalizer by its type.
namespace LoraBuild.Core.Tokenizers.Normalizers;

internal static class NormalizerReader
{
    public static INormalizer Read(JsonView view)
    {
        string type = view["type"].AsString();
        return type switch
        {
            "Sequence" => new SequenceNormalizer([.. view["normalizers"].Items().Select(Read)]),
            _ => throw view.Error("LB0204", $"the normalizer type \"{type}\" is not supported"),
        };
    }
}
