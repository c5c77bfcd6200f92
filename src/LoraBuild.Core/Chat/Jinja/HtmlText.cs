// Escaping for HTML, for `escape` and `autoescape`.
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

internal static class HtmlText
{
    /// <summary>Text that is already escaped stays.</summary>
    public static string Escape(object? value) => value is Markup m ? m.Text : EscapeText(PyRepr.Str(value));

    public static string EscapeText(string text)
    {
        Budget.Current.Characters(text.Length);
        StringBuilder result = new(text.Length);
        foreach (char c in text)
        {
            _ = c switch
            {
                '&' => result.Append("&amp;"),
                '<' => result.Append("&lt;"),
                '>' => result.Append("&gt;"),
                '"' => result.Append("&#34;"),
                '\'' => result.Append("&#39;"),
                _ => result.Append(c),
            };
        }

        Budget.Current.Text(result.Length);
        return result.ToString();
    }
}
