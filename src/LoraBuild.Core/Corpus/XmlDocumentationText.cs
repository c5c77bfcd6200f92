// Plain prose out of the XML documentation files that come with every .NET SDK.
using System.Text;
using System.Xml;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Corpus;

/// <summary>Turns one documentation file into texts, one a type: the type's summary, then a paragraph a member.</summary>
public static class XmlDocumentationText
{
    private static readonly XmlReaderSettings Settings = new()
    {
        DtdProcessing = DtdProcessing.Prohibit,
        IgnoreComments = true,
        IgnoreProcessingInstructions = true,
    };

    /// <returns>Texts in the file's order; members without prose are left out.</returns>
    /// <exception cref="DiagnosticException">LB0120: the file is not well-formed XML.</exception>
    public static IEnumerable<string> Read(string path)
    {
        List<string> texts = [];
        StringBuilder text = new();
        string? currentType = null;
        try
        {
            using XmlReader reader = XmlReader.Create(path, Settings);
            while (reader.ReadToFollowing("member"))
            {
                string name = reader.GetAttribute("name") ?? "";
                using XmlReader member = reader.ReadSubtree();
                string paragraph = Paragraph(name, member);
                if (paragraph.Length == 0)
                    continue;
                string type = TypeOf(name);
                if (type != currentType)
                {
                    Flush(texts, text);
                    currentType = type;
                }

                text.Append(paragraph).Append('\n');
            }
        }
        catch (XmlException exception)
        {
            throw new DiagnosticException("LB0120", $"not well-formed XML: {exception.Message}", path, exception.LineNumber, exception.LinePosition);
        }

        Flush(texts, text);
        return texts;
    }

    private static void Flush(List<string> texts, StringBuilder text)
    {
        if (text.Length > 0)
            texts.Add(text.ToString());
        text.Clear();
    }

    /// <summary>"T:System.String" and "M:System.String.Trim(System.Char)" both belong to System.String.</summary>
    private static string TypeOf(string name)
    {
        string path = WithoutParameters(name);
        return name.StartsWith("T:", StringComparison.Ordinal) ? path : path[..Math.Max(path.LastIndexOf('.'), 0)];
    }

    private static string Paragraph(string name, XmlReader member)
    {
        StringBuilder text = new();
        Dictionary<string, string> sections = new(StringComparer.Ordinal);
        List<string> parameters = [];
        while (member.Read())
        {
            if (member.NodeType != XmlNodeType.Element || member.Depth != 1)
                continue;
            string tag = member.Name;
            string? parameter = member.GetAttribute("name");
            using XmlReader element = member.ReadSubtree();
            string content = Flatten(element);
            if (content.Length == 0)
                continue;
            if (tag is "param" or "typeparam" && parameter is not null)
                parameters.Add($"{parameter}: {content}");
            else
                sections.TryAdd(tag, content);
        }

        if (!sections.TryGetValue("summary", out string? summary))
            return "";
        text.Append(DisplayName(name)).Append(": ").Append(summary);
        foreach (string parameter in parameters)
            text.Append(' ').Append(parameter);
        if (sections.TryGetValue("returns", out string? returns))
            text.Append(" Returns: ").Append(returns);
        if (sections.TryGetValue("value", out string? value))
            text.Append(' ').Append(value);
        if (sections.TryGetValue("remarks", out string? remarks))
            text.Append(' ').Append(remarks);
        return text.ToString();
    }

    /// <summary>The element's text with references by their last name and runs of white space folded.</summary>
    private static string Flatten(XmlReader element)
    {
        StringBuilder text = new();
        while (element.Read())
        {
            if (element.NodeType is XmlNodeType.Text or XmlNodeType.CDATA)
                text.Append(element.Value);
            else if (element.NodeType is XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace)
                text.Append(' ');
            else if (element.NodeType == XmlNodeType.Element && element.Depth > 0)
                text.Append(Reference(element));
        }

        return string.Join(' ', text.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    private static string Reference(XmlReader element) =>
        element.GetAttribute("langword") ?? element.GetAttribute("name")
        ?? (element.GetAttribute("cref") is { } cref ? DisplayName(cref) : " ");

    /// <summary>"M:System.String.Trim(System.Char)" reads as String.Trim.</summary>
    private static string DisplayName(string name)
    {
        string[] parts = WithoutParameters(name).Replace("#ctor", "constructor", StringComparison.Ordinal).Split('.');
        bool isType = name.StartsWith("T:", StringComparison.Ordinal) || name.StartsWith("N:", StringComparison.Ordinal);
        string shown = string.Join('.', parts[Math.Max(parts.Length - (isType ? 1 : 2), 0)..]);
        int tick = shown.IndexOf('`', StringComparison.Ordinal);
        return tick < 0 ? shown : shown[..tick] + shown[tick..].TrimStart('`', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
    }

    private static string WithoutParameters(string name)
    {
        int start = name.Length > 1 && name[1] == ':' ? 2 : 0;
        int end = name.IndexOf('(', StringComparison.Ordinal);
        return end < 0 ? name[start..] : name[start..end];
    }
}
