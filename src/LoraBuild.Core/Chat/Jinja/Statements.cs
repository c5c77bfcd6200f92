// Statements: output, conditions, assignments, blocks. Loops and macros have files of their own.
namespace LoraBuild.Core.Chat.Jinja;

internal sealed class DataStatement(Token token) : Statement(token)
{
    private readonly string text = token.Text;

    protected override Flow Execute(Runtime runtime)
    {
        runtime.Output.Append(text);
        return Flow.Next;
    }
}

internal sealed class PrintStatement(Token token, Expression value) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        object? result = value.Evaluate(runtime);
        runtime.Output.Append(runtime.Autoescape ? HtmlText.Escape(result) : PyRepr.Str(result));
        return Flow.Next;
    }
}

internal sealed class IfStatement(Token token, IReadOnlyList<(Expression Condition, IReadOnlyList<Statement> Body)> branches, IReadOnlyList<Statement> otherwise) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        foreach ((Expression condition, IReadOnlyList<Statement> body) in branches)
        {
            if (PyOps.IsTrue(condition.Evaluate(runtime)))
                return runtime.Run(body);
        }

        return runtime.Run(otherwise);
    }
}

/// <summary>Where a value goes: a name, an attribute of a namespace, or a tuple of such.</summary>
internal abstract class Target(Token token) : Node(token)
{
    public abstract void Assign(Runtime runtime, Scope scope, object? value);

    /// <summary>What fails before the value is computed.</summary>
    public virtual void Check(Runtime runtime)
    {
    }
}

internal sealed class NameTarget(Token token) : Target(token)
{
    public string Name { get; } = token.Text;

    public override void Assign(Runtime runtime, Scope scope, object? value) => scope.Set(Name, value);
}

internal sealed class NamespaceTarget(Token token, string attribute) : Target(token)
{
    private readonly string name = token.Text;

    public override void Assign(Runtime runtime, Scope scope, object? value)
    {
        Namespace(runtime).Members.Set(attribute, value);
    }

    public override void Check(Runtime runtime) => Namespace(runtime);

    private PyNamespace Namespace(Runtime runtime)
    {
        runtime.Position = this;
        return runtime.Lookup(name) as PyNamespace ?? throw new JinjaException(JinjaErrorKind.TemplateRuntimeError, "cannot assign attribute on non-namespace object");
    }
}

internal sealed class TupleTarget(Token token, IReadOnlyList<Target> targets) : Target(token)
{
    public IReadOnlyList<Target> Targets { get; } = targets;

    public override void Check(Runtime runtime)
    {
        foreach (Target target in Targets)
            target.Check(runtime);
    }

    public override void Assign(Runtime runtime, Scope scope, object? value)
    {
        runtime.Position = this;
        if (PyOps.TryIterate(value) is not { } elements)
            throw PyOps.Type($"cannot unpack non-iterable {PyOps.TypeName(value)} object");
        object?[] items = [.. elements];
        if (items.Length > Targets.Count)
            throw new JinjaException(JinjaErrorKind.ValueError, $"too many values to unpack (expected {Targets.Count})");
        if (items.Length < Targets.Count)
            throw new JinjaException(JinjaErrorKind.ValueError, $"not enough values to unpack (expected {Targets.Count}, got {items.Length})");
        for (int i = 0; i < items.Length; i++)
            Targets[i].Assign(runtime, scope, items[i]);
    }
}

internal sealed class SetStatement(Token token, Target target, Expression value) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        target.Check(runtime);
        object? result = value.Evaluate(runtime);
        target.Assign(runtime, runtime.Scope, result);
        return Flow.Next;
    }
}

/// <summary><c>{% set x | filter %}…{% endset %}</c>.</summary>
internal sealed class SetBlockStatement(Token token, Target target, FilterExpression? filter, IReadOnlyList<Statement> body) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        object? text = runtime.Captured(runtime.Capture(new Scope(runtime.Scope), body));
        target.Assign(runtime, runtime.Scope, filter is null ? text : filter.ApplyTo(runtime, text));
        return Flow.Next;
    }
}

internal sealed class FilterBlockStatement(Token token, FilterExpression filter, IReadOnlyList<Statement> body) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        object? text = runtime.Captured(runtime.Capture(new Scope(runtime.Scope), body));
        object? result = filter.ApplyTo(runtime, text);
        runtime.Output.Append(PyOps.Text(result) ?? throw PyOps.Type($"sequence item 0: expected str instance, {PyOps.TypeName(result)} found"));
        return Flow.Next;
    }
}

internal sealed class WithStatement(Token token, IReadOnlyList<(Target Target, Expression Value)> variables, IReadOnlyList<Statement> body) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        Scope scope = new(runtime.Scope);
        object?[] values = [.. variables.Select(v => v.Value.Evaluate(runtime))];
        for (int i = 0; i < values.Length; i++)
            variables[i].Target.Assign(runtime, scope, values[i]);
        return runtime.RunIn(scope, body);
    }
}

internal sealed class AutoescapeStatement(Token token, Expression isOn, IReadOnlyList<Statement> body) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        bool before = runtime.Autoescape;
        runtime.Autoescape = PyOps.IsTrue(isOn.Evaluate(runtime));
        try
        {
            return runtime.RunIn(new Scope(runtime.Scope), body);
        }
        finally
        {
            runtime.Autoescape = before;
        }
    }
}

/// <summary>
/// Marks what the model is to learn. The span begins at the length of the output when the body is finished:
/// text that an enclosing macro, set or filter block still holds back is not counted, as in transformers.
/// </summary>
internal sealed class GenerationStatement(Token token, IReadOnlyList<Statement> body) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        string text = runtime.Capture(new Scope(runtime.Scope), body);
        int start = runtime.Root.CodePoints;
        runtime.Spans.Add((start, start + PyText.Length(text)));
        runtime.Output.Append(text);
        return Flow.Next;
    }
}

/// <summary>A named block. Without inheritance it is printed where it stands; it sees the top level's names only, unless <c>scoped</c>.</summary>
internal sealed class BlockStatement(Token token, string name, bool isScoped, IReadOnlyList<Statement> body) : Statement(token)
{
    public string Name { get; } = name;

    public string Render(Runtime runtime) => runtime.Capture(new Scope(isScoped ? runtime.Scope : runtime.Global), body);

    protected override Flow Execute(Runtime runtime)
    {
        runtime.RunIn(new Scope(isScoped ? runtime.Scope : runtime.Global), body);
        return Flow.Next;
    }
}

/// <summary><c>include</c>, <c>import</c>, <c>extends</c>: there is nothing to load from.</summary>
internal sealed class LoadStatement(Token token) : Statement(token)
{
    protected override Flow Execute(Runtime runtime) => throw PyOps.Type("no loader for this environment specified");
}

internal sealed class JumpStatement(Token token, Flow flow) : Statement(token)
{
    protected override Flow Execute(Runtime runtime) => flow;
}
