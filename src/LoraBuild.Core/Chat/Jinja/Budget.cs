// Counts what parsing or rendering costs and stops it at the limits, deterministically.
using System.Runtime.CompilerServices;

namespace LoraBuild.Core.Chat.Jinja;

/// <summary>
/// One rendering's meter. A step is about 50 ns of work; whatever can multiply its input's size is charged before anything is allocated.
/// It is reached through <see cref="Current"/> because comparing and hashing of nested values must be metered too and have no place for a parameter.
/// </summary>
internal sealed class Budget(JinjaOptions options)
{
    [ThreadStatic]
    private static Budget? current;

    private int callDepth;
    private int depth;

    /// <summary>Outside of a rendering nothing is limited.</summary>
    public static Budget Current => current ??= new Budget(new JinjaOptions { MaxSteps = long.MaxValue, MaxTextLength = int.MaxValue });

    /// <summary>Steps used so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Makes <paramref name="budget"/> the thread's meter; returns the one before, to be put back.</summary>
    public static Budget? Swap(Budget? budget)
    {
        Budget? before = current;
        current = budget;
        return before;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step(long units = 1)
    {
        Steps += units;
        if (Steps > options.MaxSteps)
            throw TooLong();
    }

    /// <summary>Called before text of this length is made.</summary>
    public void Text(long length)
    {
        Limit(length);
        Step(1 + (length >> 4));
    }

    /// <summary>Called before text is gone through one character at a time.</summary>
    /// <param name="length">Characters, times how much dearer than a look each is.</param>
    public void Characters(long length) => Step(1 + (length >> 1));

    /// <summary>Called before memory is compared or searched many characters at once.</summary>
    public void Scan(long length) => Step(1 + (length >> 7));

    /// <summary>Called before a sequence of so many elements is made.</summary>
    public void Elements(long count) => Step(1 + (count * 2));

    public void Limit(long length)
    {
        if (length > options.MaxTextLength)
            throw new JinjaException(JinjaErrorKind.LimitError, $"the template makes a text of {length} characters; at most {options.MaxTextLength} are allowed");
    }

    public void EnterCall()
    {
        if (++callDepth > options.MaxCallDepth)
            throw new JinjaException(JinjaErrorKind.LimitError, $"macros or recursive loops are nested more than {options.MaxCallDepth} deep");
        CheckStack();
    }

    public void LeaveCall() => callDepth--;

    /// <summary>One level further into an expression or a value; <see cref="Ascend"/> is not needed behind an exception, which ends the rendering.</summary>
    public void Descend()
    {
        if (++depth > options.MaxNesting)
            throw new JinjaException(JinjaErrorKind.LimitError, $"expressions or values are nested more than {options.MaxNesting} deep");
        CheckStack();
    }

    public void Ascend() => depth--;

    /// <summary>Expressions and values nested so deep that the thread's stack would not do, whatever its size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaException(JinjaErrorKind.LimitError, "expressions or values are nested too deep");
    }

    private JinjaException TooLong() => new(JinjaErrorKind.LimitError, $"the template needs more than {options.MaxSteps} steps; it loops too long");
}
