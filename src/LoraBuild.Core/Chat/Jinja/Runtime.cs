// What one rendering carries: output, scopes, the sandbox's meter, the generation spans.
using System.Text;

namespace LoraBuild.Core.Chat.Jinja;

/// <summary>Names of one block. A lookup goes outward; a <c>set</c> stays here.</summary>
internal sealed class Scope(Scope? parent)
{
    private Dictionary<string, object?>? names;

    public Scope? Parent { get; } = parent;

    public void Set(string name, object? value) => (names ??= [])[name] = value;

    public bool TryGet(string name, out object? value)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope.names is not null && scope.names.TryGetValue(name, out value))
                return true;
        }

        value = null;
        return false;
    }
}

/// <summary>Text made so far; counts code points as it grows.</summary>
internal sealed class OutputBuffer
{
    private readonly StringBuilder text = new();

    public int CodePoints { get; private set; }

    public void Append(string part)
    {
        Budget.Current.Limit((long)text.Length + part.Length);
        Budget.Current.Step(part.Length >> 4);
        text.Append(part);
        CodePoints += PyText.Length(part);
    }

    public override string ToString() => text.ToString();
}

internal sealed class Runtime(JinjaOptions options, Scope global)
{
    public JinjaOptions Options { get; } = options;

    public OutputBuffer Root { get; } = new();

    public OutputBuffer Output { get; private set; } = null!;

    /// <summary>The template's top level: what blocks and macros see.</summary>
    public Scope Global { get; } = global;

    public Scope Scope { get; set; } = global;

    public bool Autoescape { get; set; }

    public Budget Budget { get; } = new(options);

    /// <summary>One pair a finished generation block, in code points of the output.</summary>
    public List<(int Start, int End)> Spans { get; } = [];

    public Node? Position { get; set; }

    public void Begin() => Output = Root;

    public object? Lookup(string name) => Scope.TryGet(name, out object? value) ? value : Undefined.OfName(name);

    /// <summary>Runs statements in a scope of their own and gives what they print.</summary>
    public string Capture(Scope scope, IReadOnlyList<Statement> body)
    {
        (OutputBuffer output, Scope before) = (Output, Scope);
        OutputBuffer buffer = new();
        (Output, Scope) = (buffer, scope);
        try
        {
            Run(body);
        }
        finally
        {
            (Output, Scope) = (output, before);
        }

        return buffer.ToString();
    }

    public Flow RunIn(Scope scope, IReadOnlyList<Statement> body)
    {
        Scope before = Scope;
        Scope = scope;
        try
        {
            return Run(body);
        }
        finally
        {
            Scope = before;
        }
    }

    public Flow Run(IReadOnlyList<Statement> body)
    {
        for (int i = 0; i < body.Count; i++)
        {
            Flow flow = body[i].Run(this);
            if (flow != Flow.Next)
                return flow;
        }

        return Flow.Next;
    }

    public object? Call(object? callee, Arguments arguments)
    {
        if (callee is IPyCallable callable)
            return callable.Call(this, arguments);
        PyOps.ThrowIfUndefined(callee);
        throw PyOps.Type($"'{PyOps.TypeName(callee)}' object is not callable");
    }

    /// <summary>Captured text is safe where autoescape is on.</summary>
    public object Captured(string text) => Autoescape ? new Markup(text) : text;
}
