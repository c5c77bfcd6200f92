// Expressions: what they hold and how they are computed.
namespace LoraBuild.Core.Chat.Jinja;

internal sealed class ConstantExpression(Token token, object? value) : Expression(token)
{
    protected override object? Compute(Runtime runtime) => value;
}

internal sealed class NameExpression(Token token, string name) : Expression(token)
{
    public string Name { get; } = name;

    protected override object? Compute(Runtime runtime) => runtime.Lookup(Name);
}

internal sealed class ListExpression(Token token, IReadOnlyList<Expression> items) : Expression(token)
{
    protected override object? Compute(Runtime runtime) => new PyList([.. items.Select(i => i.Evaluate(runtime))]);
}

internal sealed class TupleExpression(Token token, IReadOnlyList<Expression> items) : Expression(token)
{
    public IReadOnlyList<Expression> Items { get; } = items;

    protected override object? Compute(Runtime runtime) => new PyTuple([.. Items.Select(i => i.Evaluate(runtime))]);
}

internal sealed class DictExpression(Token token, IReadOnlyList<(Expression Key, Expression Value)> entries) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        PyDict dict = new();
        foreach ((Expression key, Expression value) in entries)
        {
            object? k = key.Evaluate(runtime);
            dict.Set(k, value.Evaluate(runtime));
        }

        return dict;
    }
}

internal sealed class UnaryExpression(Token token, string op, Expression operand) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? value = operand.Evaluate(runtime);
        runtime.Position = this;
        return op == "not" ? !PyOps.IsTrue(value) : PyOps.Unary(op[0], value);
    }
}

internal sealed class BinaryExpression(Token token, string op, Expression left, Expression right) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? a = left.Evaluate(runtime);
        if (op == "and")
            return PyOps.IsTrue(a) ? right.Evaluate(runtime) : a;
        if (op == "or")
            return PyOps.IsTrue(a) ? a : right.Evaluate(runtime);
        object? b = right.Evaluate(runtime);
        runtime.Position = this;
        if (op == "+" && (a is Markup || b is Markup) && PyOps.Text(a) is not null && PyOps.Text(b) is not null)
            return PyOps.Binary(op, new Markup(HtmlText.Escape(a)), new Markup(HtmlText.Escape(b))) is string text ? new Markup(text) : null;
        return PyOps.Binary(op, a, b);
    }
}

/// <summary><c>a ~ b ~ c</c>: everything becomes text.</summary>
internal sealed class ConcatExpression(Token token, IReadOnlyList<Expression> parts) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object?[] values = [.. parts.Select(p => p.Evaluate(runtime))];
        runtime.Position = this;
        if (Array.Exists(values, v => v is Markup))
            return new Markup(Concat(runtime, [.. values.Select(HtmlText.Escape)]));
        return Concat(runtime, [.. values.Select(PyRepr.Str)]);
    }

    private static string Concat(Runtime runtime, string[] texts)
    {
        runtime.Budget.Text(texts.Sum(t => (long)t.Length));
        return string.Concat(texts);
    }
}

/// <summary><c>a &lt; b &lt;= c</c>: all hold, each operand computed once.</summary>
internal sealed class CompareExpression(Token token, Expression first, IReadOnlyList<(string Op, Expression Right)> rest) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? left = first.Evaluate(runtime);
        foreach ((string op, Expression expression) in rest)
        {
            object? right = expression.Evaluate(runtime);
            runtime.Position = this;
            bool holds = op switch
            {
                "==" => PyOps.AreEqual(left, right),
                "!=" => !PyOps.AreEqual(left, right),
                "in" => PyOps.Contains(right, left),
                "not in" => !PyOps.Contains(right, left),
                _ => PyOps.Compare(op, left, right),
            };
            if (!holds)
                return false;
            left = right;
        }

        return true;
    }
}

internal sealed class ConditionalExpression(Token token, Expression condition, Expression then, Expression? otherwise) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        if (PyOps.IsTrue(condition.Evaluate(runtime)))
            return then.Evaluate(runtime);
        return otherwise is not null
            ? otherwise.Evaluate(runtime)
            : new Undefined("the inline if-expression evaluated to false and no else section was defined.");
    }
}

internal sealed class AttributeExpression(Token token, Expression owner, string name) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? value = owner.Evaluate(runtime);
        runtime.Position = this;
        return PyMembers.Attribute(value, name);
    }
}

internal sealed class ItemExpression(Token token, Expression owner, Expression index) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? value = owner.Evaluate(runtime);
        object? key = index.Evaluate(runtime);
        runtime.Position = this;
        return PyMembers.Item(value, key);
    }
}

internal sealed class SliceExpression(Token token, Expression owner, Expression? start, Expression? stop, Expression? step) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? value = owner.Evaluate(runtime);
        object? from = start?.Evaluate(runtime);
        object? to = stop?.Evaluate(runtime);
        object? by = step?.Evaluate(runtime);
        runtime.Position = this;
        return PyMembers.Slice(value, from, to, by);
    }
}

internal sealed record CallArguments(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named, Expression? Star, Expression? DoubleStar)
{
    public static readonly CallArguments Empty = new([], [], null, null);

    public Arguments Evaluate(Runtime runtime, object? caller = null)
    {
        if (Positional.Count == 0 && Named.Count == 0 && Star is null && DoubleStar is null && caller is null)
            return Arguments.None;
        List<object?> positional = [.. Positional.Select(p => p.Evaluate(runtime))];
        List<KeyValuePair<string, object?>> named = [.. Named.Select(n => KeyValuePair.Create(n.Name, n.Value.Evaluate(runtime)))];
        if (caller is not null)
            named.Add(new("caller", caller));
        if (Star is not null)
            positional.AddRange(PyOps.Iterate(Star.Evaluate(runtime)));
        if (DoubleStar is not null)
        {
            if (DoubleStar.Evaluate(runtime) is not PyDict dict)
                throw PyOps.Type("argument after ** must be a mapping");
            foreach ((object? key, object? value) in dict.Entries)
                named.Add(new(key as string ?? throw PyOps.Type("keywords must be strings"), value));
        }

        return new Arguments([.. positional], named);
    }
}

internal sealed class CallExpression(Token token, Expression callee, CallArguments arguments) : Expression(token)
{
    protected override object? Compute(Runtime runtime) => Invoke(runtime, null);

    /// <param name="caller">The body of a <c>call</c> block, passed as the argument <c>caller</c>.</param>
    public object? Invoke(Runtime runtime, object? caller)
    {
        object? function = callee.Evaluate(runtime);
        Arguments values = arguments.Evaluate(runtime, caller);
        runtime.Position = this;
        return runtime.Call(function, values);
    }
}

internal sealed class FilterExpression(Token token, Func<Runtime, Arguments, object?> filter, Expression? operand, CallArguments arguments) : Expression(token)
{
    protected override object? Compute(Runtime runtime) => Apply(runtime, operand!.Evaluate(runtime));

    /// <summary>For filter blocks, whose innermost filter has no operand but text.</summary>
    public object? ApplyTo(Runtime runtime, object? text) =>
        Apply(runtime, operand is FilterExpression inner ? inner.ApplyTo(runtime, text) : text);

    private object? Apply(Runtime runtime, object? value)
    {
        Arguments values = arguments.Evaluate(runtime).Prepend(value);
        runtime.Position = this;
        return filter(runtime, values);
    }
}

internal sealed class TestExpression(Token token, Func<Runtime, Arguments, bool> test, Expression operand, CallArguments arguments) : Expression(token)
{
    protected override object? Compute(Runtime runtime)
    {
        object? value = operand.Evaluate(runtime);
        Arguments values = arguments.Evaluate(runtime).Prepend(value);
        runtime.Position = this;
        return test(runtime, values);
    }
}
