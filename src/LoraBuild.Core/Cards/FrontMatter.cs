// The YAML block at the beginning of a card: written so that the hub reads it, read from cards that others wrote.
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LoraBuild.Core.Cards;

/// <summary>Keys with a text or a list of texts, in the order in which they were added.</summary>
public sealed partial class FrontMatter
{
    private const int MaxChars = 1 << 16;
    private const string Fence = "---";

    private static readonly HashSet<string> Words = new(StringComparer.OrdinalIgnoreCase) { "true", "false", "yes", "no", "on", "off", "null", "y", "n" };

    private readonly StringBuilder lines = new();

    public FrontMatter Add(string key, string? value)
    {
        if (value is not null)
            lines.Append(key).Append(": ").Append(Scalar(value)).Append('\n');
        return this;
    }

    public FrontMatter Add(string key, IReadOnlyList<string> values)
    {
        if (values.Count == 0)
            return this;
        lines.Append(key).Append(":\n");
        foreach (string value in values)
            lines.Append("- ").Append(Scalar(value)).Append('\n');
        return this;
    }

    public override string ToString() => $"{Fence}\n{lines}{Fence}\n";

    /// <summary>The license that a card names.</summary>
    /// <param name="card">A whole card, or no card at all.</param>
    /// <returns>Null where it names none, or where its block cannot be read: the card is somebody else's.</returns>
    public static CardLicense? LicenseOf(string card)
    {
        if (Block(card) is not { } block)
            return null;
        try
        {
            YamlStream yaml = [];
            yaml.Load(new StringReader(block));
            if (yaml.Documents.Count == 0 || yaml.Documents[0].RootNode is not YamlMappingNode root)
                return null;
            return Text(root, "license") is { } id ? new CardLicense(id, Text(root, "license_name"), Text(root, "license_link")) : null;
        }
        catch (YamlException)
        {
            return null;
        }
    }

    private static string? Block(string card)
    {
        string text = card[..Math.Min(card.Length, MaxChars)].TrimStart('\uFEFF').ReplaceLineEndings("\n");
        if (!text.StartsWith(Fence + "\n", StringComparison.Ordinal))
            return null;
        int end = text.IndexOf("\n" + Fence, Fence.Length, StringComparison.Ordinal);
        return end < 0 ? null : text[(Fence.Length + 1)..(end + 1)];
    }

    /// <summary>One line; of a list (some cards name several licenses) the first.</summary>
    private static string? Text(YamlMappingNode root, string key)
    {
        foreach ((YamlNode name, YamlNode node) in root.Children)
        {
            if (name is not YamlScalarNode { Value: { } found } || found != key)
                continue;
            YamlNode? first = node is YamlSequenceNode list ? list.Children.FirstOrDefault() : node;
            return first is YamlScalarNode { Value: { Length: > 0 and < 300 } value } && !value.Any(char.IsControl) ? value : null;
        }

        return null;
    }

    /// <summary>Plain where nothing can be misread; else in double quotes, whose escapes are those of JSON.</summary>
    private static string Scalar(string value) =>
        PlainForm().IsMatch(value) && !Words.Contains(value) ? value : JsonSerializer.Serialize(value, Formats.JsonFile.Indented);

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9._/-]*\z", RegexOptions.CultureInvariant)]
    private static partial Regex PlainForm();
}
