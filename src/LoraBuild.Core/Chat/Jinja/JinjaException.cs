// What a template did wrong: which kind of error Python would have raised, its text, and where in the template.
namespace LoraBuild.Core.Chat.Jinja;

/// <summary>The Python exception that Jinja2 would have raised for the same mistake.</summary>
public enum JinjaErrorKind
{
    TemplateSyntaxError,
    TemplateAssertionError,
    TemplateRuntimeError,

    /// <summary>The template called <c>raise_exception</c>.</summary>
    TemplateError,
    UndefinedError,
    SecurityError,
    TypeError,
    ValueError,
    ZeroDivisionError,
    OverflowError,
    SyntaxError,
    LookupError,
    AssertionError,

    /// <summary>Ours: the template used more steps, text or depth than <see cref="JinjaOptions"/> allows.</summary>
    LimitError,
}

/// <summary>A template that cannot be parsed or rendered. Callers outside this folder see it as a diagnostic.</summary>
public sealed class JinjaException(JinjaErrorKind kind, string message) : Exception(Shortened(message))
{
    // A message can carry a text of the template's making; no reader wants more of it.
    private const int MaxMessageLength = 20_000;

    public JinjaErrorKind Kind { get; } = kind;

    /// <summary>From 1; 0 while not known.</summary>
    public int Line { get; internal set; }

    /// <summary>From 1; 0 while not known.</summary>
    public int Column { get; internal set; }

    internal JinjaException At(int line, int column)
    {
        if (Line == 0)
            (Line, Column) = (line, column);
        return this;
    }

    private static string Shortened(string message) => message.Length <= MaxMessageLength ? message : message[..MaxMessageLength] + "…";
}
