// Counts what a rendering costs and stops it at the limits, deterministically.
using System.Runtime.CompilerServices;

namespace LoraBuild.Core.Chat.Jinja;

/// <summary>One rendering's meter. It is reached through <see cref="Current"/> because comparing and hashing of nested values must be metered too and have no place for a parameter.</summary>
internal sealed class Budget(JinjaOptions options)
{
    [ThreadStatic]
    private static Budget? current;

    private long steps;
    private int callDepth;

    public static Budget Current => current ??= new Budget(new JinjaOptions());

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
        steps += units;
        if (steps > options.MaxSteps)
            throw new JinjaException(JinjaErrorKind.LimitError, $"the template needs more than {options.MaxSteps} steps; it loops too long");
    }

    /// <summary>Called before text of this length is made.</summary>
    public void Text(long length)
    {
        Limit(length);
        Step(1 + (length >> 4));
    }

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

    /// <summary>Expressions and values nested so deep that the thread's stack would not do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new JinjaException(JinjaErrorKind.LimitError, "expressions or values are nested too deep");
    }
}
