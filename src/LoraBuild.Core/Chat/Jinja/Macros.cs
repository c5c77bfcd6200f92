// Macros, and `call` blocks, whose body is a macro named caller.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

/// <param name="Name">Null for the body of a call block.</param>
/// <param name="UsesCaller">Whether the body mentions <c>caller</c>; likewise for the others. A macro that does not, refuses them.</param>
internal sealed record MacroDefinition(string? Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, IReadOnlyList<Statement> Body, bool UsesCaller, bool UsesKwargs, bool UsesVarargs);

internal sealed class Macro(MacroDefinition definition, Scope closure, bool autoescape) : IPyCallable, IPyObject
{
    public string TypeName => "Macro";

    public object? Call(Runtime runtime, Arguments arguments)
    {
        runtime.Budget.Step(2 + ((definition.Parameters.Count + arguments.Positional.Length) * 8L) + (arguments.Named.Count * (2L + definition.Parameters.Count / 8)));
        Scope scope = new(closure);
        List<KeyValuePair<string, object?>> named = [.. arguments.Named];
        bool hasCaller = definition.Parameters.Any(p => p.Name == "caller");
        (Scope before, bool escapes) = (runtime.Scope, runtime.Autoescape);
        runtime.Budget.EnterCall();
        try
        {
            runtime.Scope = scope;
            List<(string Name, Expression? Default)> missing = [];
            for (int i = 0; i < definition.Parameters.Count; i++)
            {
                (string name, Expression? fallback) = definition.Parameters[i];
                if (i < arguments.Positional.Length)
                    scope.Set(name, arguments.Positional[i]);
                else if (TryTake(named, name, out object? value))
                    scope.Set(name, value);
                else
                    scope.Set(name, fallback is null ? new Undefined($"parameter '{name}' was not provided") : fallback.Evaluate(runtime));
            }

            BindRest(scope, arguments, named, hasCaller);
            runtime.Autoescape = autoescape;
            return runtime.Captured(runtime.Capture(scope, definition.Body));
        }
        finally
        {
            (runtime.Scope, runtime.Autoescape) = (before, escapes);
            runtime.Budget.LeaveCall();
        }
    }

    public bool TryGetMember(string name, out object? value)
    {
        value = name switch
        {
            "name" => definition.Name,
            "arguments" => new PyTuple([.. definition.Parameters.Select(p => p.Name)]),
            "catch_kwargs" => definition.UsesKwargs,
            "catch_varargs" => definition.UsesVarargs,
            "caller" => definition.UsesCaller,
            _ => Arguments.Missing,
        };
        return !ReferenceEquals(value, Arguments.Missing);
    }

    private void BindRest(Scope scope, Arguments arguments, List<KeyValuePair<string, object?>> named, bool hasCaller)
    {
        string name = definition.Name is null ? "None" : $"'{definition.Name}'";
        if (definition.UsesCaller && !hasCaller)
            scope.Set("caller", TryTake(named, "caller", out object? caller) ? caller : new Undefined("No caller defined"));
        if (definition.UsesKwargs)
        {
            PyDict kwargs = new();
            foreach ((string key, object? value) in named)
                kwargs.Set(key, value);
            scope.Set("kwargs", kwargs);
        }
        else if (named.Count > 0)
        {
            throw PyOps.Type($"macro {name} takes no keyword argument {PyRepr.Repr(named[0].Key)}");
        }

        if (definition.UsesVarargs)
            scope.Set("varargs", new PyTuple([.. arguments.Positional.Skip(definition.Parameters.Count)]));
        else if (arguments.Positional.Length > definition.Parameters.Count)
            throw PyOps.Type($"macro {name} takes not more than {new BigInteger(definition.Parameters.Count)} argument(s)");
    }

    private static bool TryTake(List<KeyValuePair<string, object?>> named, string name, out object? value)
    {
        int at = named.FindIndex(n => n.Key == name);
        value = at >= 0 ? named[at].Value : null;
        if (at >= 0)
            named.RemoveAt(at);
        return at >= 0;
    }
}

internal sealed class MacroStatement(Token token, MacroDefinition definition) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        runtime.Scope.Set(definition.Name!, new Macro(definition, runtime.Scope, runtime.Autoescape));
        return Flow.Next;
    }
}

internal sealed class CallBlockStatement(Token token, CallExpression call, MacroDefinition caller) : Statement(token)
{
    protected override Flow Execute(Runtime runtime)
    {
        object? result = call.Invoke(runtime, new Macro(caller, runtime.Scope, runtime.Autoescape));
        runtime.Output.Append(PyOps.Text(result) ?? throw PyOps.Type($"sequence item 0: expected str instance, {PyOps.TypeName(result)} found"));
        return Flow.Next;
    }
}
