// A place in the template; the base of expressions and statements.
namespace LoraBuild.Core.Chat.Jinja;

internal abstract class Node(Token token)
{
    public int Line { get; } = token.Line;

    public int Column { get; } = token.Column;
}

internal enum Flow
{
    Next,
    Break,
    Continue,
}

internal abstract class Expression(Token token) : Node(token)
{
    public object? Evaluate(Runtime runtime)
    {
        Budget.CheckStack();
        runtime.Budget.Step();
        runtime.Position = this;
        return Compute(runtime);
    }

    protected abstract object? Compute(Runtime runtime);
}

internal abstract class Statement(Token token) : Node(token)
{
    public Flow Run(Runtime runtime)
    {
        Budget.CheckStack();
        runtime.Budget.Step();
        runtime.Position = this;
        return Execute(runtime);
    }

    protected abstract Flow Execute(Runtime runtime);
}
