// `for`, its `loop` variable, and recursive loops.
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal sealed class ForStatement(Token token, Target target, Expression iterable, Expression? filter, bool isRecursive, IReadOnlyList<Statement> body, IReadOnlyList<Statement> otherwise) : Statement(token)
{
    public void Loop(Runtime runtime, Scope outer, object? items, int depth)
    {
        if (RunLoop(runtime, outer, items, depth) != Flow.Next)
            throw new InvalidOperationException("a jump left a recursive loop");
    }

    protected override Flow Execute(Runtime runtime) => RunLoop(runtime, runtime.Scope, iterable.Evaluate(runtime), 1);

    private Flow RunLoop(Runtime runtime, Scope outer, object? items, int depth)
    {
        runtime.Position = this;
        IEnumerable<object?> elements = PyOps.Iterate(items);
        if (filter is not null)
            elements = Filtered(runtime, outer, elements);
        LoopContext loop = new(elements, filter is null ? items : null, depth, isRecursive ? (this, outer) : null);
        bool isCompleted = false;
        while (loop.MoveNext())
        {
            runtime.Budget.Step(6); // a scope of its own is dearer than an expression
            Scope scope = new(outer);
            scope.Set("loop", loop);
            target.Assign(runtime, scope, loop.Current);
            Flow flow = runtime.RunIn(scope, body);
            if (flow == Flow.Break)
                break;
            isCompleted |= flow == Flow.Next;
        }

        return isCompleted ? Flow.Next : runtime.RunIn(new Scope(outer), otherwise);
    }

    private IEnumerable<object?> Filtered(Runtime runtime, Scope outer, IEnumerable<object?> elements)
    {
        foreach (object? element in elements)
        {
            Scope scope = new(outer);
            scope.Set("loop", Undefined.OfName("loop"));
            target.Assign(runtime, scope, element);
            Scope before = runtime.Scope;
            runtime.Scope = scope;
            bool isKept = PyOps.IsTrue(filter!.Evaluate(runtime));
            runtime.Scope = before;
            if (isKept)
                yield return element;
        }
    }
}

/// <summary>The variable <c>loop</c>. Looks ahead only when asked, as Jinja2's does.</summary>
internal sealed class LoopContext(IEnumerable<object?> elements, object? source, int depth, (ForStatement Statement, Scope Outer)? recursion) : IPyObject, IPyCallable
{
    private IEnumerator<object?> rest = elements.GetEnumerator();
    private int index0 = -1;
    private bool hasNext;
    private object? next;
    private object? previous;
    private bool hasPrevious;
    private int length = -1;
    private object? lastChanged;
    private bool hasChanged;

    public object? Current { get; private set; }

    public string TypeName => "LoopContext";

    public int Length
    {
        get
        {
            if (length >= 0)
                return length;
            if (source is not (null or PyGenerator) && PyOps.Count(source) is int count)
                return length = count;
            List<object?> all = [];
            while (rest.MoveNext())
                all.Add(rest.Current);
            rest = ((IEnumerable<object?>)all).GetEnumerator();
            return length = index0 + 1 + (hasNext ? 1 : 0) + all.Count;
        }
    }

    private bool IsLast => !Peek();

    public bool MoveNext()
    {
        if (!Peek())
            return false;
        (previous, hasPrevious) = (Current, index0 >= 0);
        Current = next;
        hasNext = false;
        index0++;
        return true;
    }

    /// <summary>What remains, each with this loop, as iterating over <c>loop</c> gives it.</summary>
    public IEnumerable<object?> Pairs()
    {
        while (MoveNext())
            yield return new PyTuple(Current, this);
    }

    public object? Call(Runtime runtime, Arguments arguments)
    {
        if (recursion is not var (statement, outer))
            throw PyOps.Type("The loop must have the 'recursive' marker to be called recursively.");
        object? items = arguments.Bind("loop", 1, "iterable")[0];
        runtime.Budget.EnterCall();
        try
        {
            return runtime.Captured(runtime.Capture(outer, [new RecursionStatement(statement, outer, items, depth + 1)]));
        }
        finally
        {
            runtime.Budget.LeaveCall();
        }
    }

    public bool TryGetMember(string name, out object? value)
    {
        value = name switch
        {
            "index" => new BigInteger(index0 + 1),
            "index0" => new BigInteger(index0),
            "first" => index0 == 0,
            "last" => IsLast,
            "length" => new BigInteger(Length),
            "revindex" => new BigInteger(Length - index0),
            "revindex0" => new BigInteger(Length - index0 - 1),
            "depth" => new BigInteger(depth),
            "depth0" => new BigInteger(depth - 1),
            "previtem" => hasPrevious ? previous : new Undefined("there is no previous item"),
            "nextitem" => Peek() ? next : new Undefined("there is no next item"),
            "cycle" => new PyFunction("cycle", (_, a) => a.Positional.Length > 0 ? a.Positional[index0 % a.Positional.Length] : throw PyOps.Type("no items for cycling given")),
            "changed" => new PyFunction("changed", (_, a) => Changed(new PyTuple(a.Positional))),
            _ => Arguments.Missing,
        };
        return !ReferenceEquals(value, Arguments.Missing);
    }

    private bool Changed(PyTuple value)
    {
        if (hasChanged && PyOps.AreEqual(lastChanged, value))
            return false;
        (lastChanged, hasChanged) = (value, true);
        return true;
    }

    private bool Peek()
    {
        if (!hasNext && rest.MoveNext())
            (hasNext, next) = (true, rest.Current);
        return hasNext;
    }

    /// <summary>One level of recursion, as a statement so that its output can be captured.</summary>
    private sealed class RecursionStatement(ForStatement loop, Scope outer, object? items, int depth) : Statement(new Token(TokenKind.Name, "for", loop.Line, loop.Column))
    {
        protected override Flow Execute(Runtime runtime)
        {
            loop.Loop(runtime, outer, items, depth);
            return Flow.Next;
        }
    }
}
