// Reads {"Regex": …} or {"String": …}.
using LoraBuild.Core.Tokenizers.Regex;

namespace LoraBuild.Core.Tokenizers;

internal static class PatternReader
{
    /// <summary>Exactly one of the two is not null.</summary>
    public static (OnigRegex? Regex, string? Text) Read(JsonView view)
    {
        if (view.TryGet("String", out JsonView text))
            return (null, text.AsString());
        JsonView regex = view["Regex"];
        string pattern = regex.AsString();
        try
        {
            return (OnigRegex.Parse(pattern), null);
        }
        catch (RegexSyntaxException e)
        {
            throw regex.Error("LB0207", $"the pattern cannot be used: {e.Message} (at character {e.Position} of {pattern})");
        }
    }
}
