// Finds the matches of one pattern in one text, from left to right.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

/// <summary>
/// Backtracking with an explicit stack (no recursion on the text's length). The number of times that it may go back is limited by the text's
/// length, so that a hostile pattern ends in a diagnostic instead of exponential time.
/// </summary>
internal ref struct RegexMatcher
{
    private const long FixedBudget = 50_000_000;
    private const long BudgetPerUnit = 500;

    private readonly OnigRegex regex;
    private readonly RegexInstruction[] code;
    private readonly ReadOnlySpan<char> text;
    private readonly int[] registers;
    private int[] stack;
    private int depth;
    private long budget;
    private int limit; // where reading ends: the text's end, or the place of a look-behind of several widths
    private int searchFrom;
    private int lastEnd;

    public RegexMatcher(OnigRegex regex, ReadOnlySpan<char> text, RegexScratch scratch)
    {
        this.regex = regex;
        this.text = text;
        code = regex.Code;
        stack = scratch.Stack;
        Scratch = scratch;
        registers = regex.Registers == 0 ? [] : new int[regex.Registers];
        budget = FixedBudget + (BudgetPerUnit * text.Length);
        limit = text.Length;
        lastEnd = -1;
    }

    public RegexScratch Scratch { get; }

    /// <summary>The next match, in UTF-16 units. An empty match directly behind the last match is passed over.</summary>
    /// <exception cref="DiagnosticException">LB0208: the budget is used up.</exception>
    public bool TryNext(out int start, out int end)
    {
        while (searchFrom <= text.Length)
        {
            start = searchFrom;
            end = Run(0, start);
            if (end < 0 || (end == start && end == lastEnd))
            {
                searchFrom += start < text.Length ? UnitsAt(start) : 1;
                continue;
            }

            searchFrom = lastEnd = end;
            return true;
        }

        (start, end) = (0, 0);
        return false;
    }

    private readonly int UnitsAt(int position) =>
        char.IsHighSurrogate(text[position]) && position + 1 < text.Length && char.IsLowSurrogate(text[position + 1]) ? 2 : 1;

    /// <summary>The end of the first match that begins at <paramref name="position"/>, or −1. Frames on the stack are (instruction, position, extra).</summary>
    private int Run(int pc, int position)
    {
        int bottom = depth;
        while (true)
        {
            RegexInstruction instruction = code[pc];
            bool failed = false;
            switch (instruction.Op)
            {
                case RegexOp.Match:
                    depth = bottom;
                    return position;
                case RegexOp.Set:
                    if (position < limit && instruction.Set!.Contains(UnicodeClasses.CodePointAt(text, position, out int units)))
                    {
                        position += units;
                        pc++;
                    }
                    else
                        failed = true;
                    break;
                case RegexOp.SetLoop:
                    failed = !Loop(instruction, pc, ref position);
                    pc++;
                    break;
                case RegexOp.Alternatives:
                    pc = Choose(instruction, pc, position, CandidatesAt(instruction, position));
                    failed = pc < 0;
                    break;
                case RegexOp.Split:
                    Push(pc, position, 0);
                    pc = instruction.A;
                    break;
                case RegexOp.Jump:
                    pc = instruction.A;
                    break;
                case RegexOp.Mark:
                    Push(pc, registers[instruction.A], 0);
                    registers[instruction.A] = position;
                    pc++;
                    break;
                case RegexOp.CheckProgress:
                    pc = registers[instruction.A] == position ? instruction.B : pc + 1;
                    break;
                case RegexOp.CheckEnd:
                    failed = position != limit;
                    pc++;
                    break;
                case RegexOp.Atomic:
                    int end = Run(instruction.A, position);
                    failed = end < 0;
                    position = end;
                    pc = instruction.B;
                    break;
                case RegexOp.Look:
                    failed = Looks(instruction, position) == instruction.IsNegative;
                    pc = instruction.B;
                    break;
                case RegexOp.Assertion:
                    failed = !Holds(instruction.Assertion, position);
                    pc++;
                    break;
            }

            if (failed && !Backtrack(bottom, ref pc, ref position))
                return -1;
        }
    }

    private bool Loop(RegexInstruction instruction, int pc, ref int position)
    {
        CodePointSet set = instruction.Set!;
        int count = 0;
        int at = position;
        int leastEnd = position;
        while (count < instruction.Max && at < limit)
        {
            char c = text[at];
            if (c < 0x80)
            {
                if (!set.Contains(c))
                    break;
                at++;
            }
            else
            {
                if (!set.Contains(UnicodeClasses.CodePointAt(text, at, out int units)))
                    break;
                at += units;
            }

            if (++count == instruction.Min)
                leastEnd = at;
        }

        if (count < instruction.Min)
            return false;
        if (!instruction.IsAtomic && at > leastEnd)
            Push(pc, at, leastEnd);
        position = at;
        return true;
    }

    private readonly ulong CandidatesAt(RegexInstruction instruction, int position)
    {
        if (position < limit && text[position] < 128)
            return instruction.AsciiMasks[text[position]];
        ulong mask = 0;
        int c = position < limit ? UnicodeClasses.CodePointAt(text, position, out _) : -1;
        CodePointSet?[] firsts = instruction.Firsts;
        for (int i = 0; i < firsts.Length; i++)
        {
            if (firsts[i] is not { } first || (c >= 0 && first.Contains(c)))
                mask |= 1UL << i;
        }

        return mask;
    }

    /// <summary>The first candidate; the others stay on the stack as a mask.</summary>
    private int Choose(RegexInstruction instruction, int pc, int position, ulong candidates)
    {
        if (candidates == 0)
            return -1;
        int first = System.Numerics.BitOperations.TrailingZeroCount(candidates);
        candidates &= candidates - 1;
        if (candidates != 0)
            Push(pc, position, (int)(uint)candidates, (int)(candidates >> 32));
        return instruction.Targets[first];
    }

    private bool Backtrack(int bottom, ref int pc, ref int position)
    {
        while (depth > bottom)
        {
            Spend();
            depth -= 4;
            pc = stack[depth];
            position = stack[depth + 1];
            int extra = stack[depth + 2];
            RegexInstruction instruction = code[pc];
            switch (instruction.Op)
            {
                case RegexOp.Mark:
                    registers[instruction.A] = position;
                    continue;
                case RegexOp.Split:
                    pc = instruction.B;
                    return true;
                case RegexOp.Alternatives:
                    pc = Choose(instruction, pc, position, (uint)extra | ((ulong)(uint)stack[depth + 3] << 32));
                    return true;
                case RegexOp.SetLoop:
                    UnicodeClasses.CodePointBefore(text, position, out int units);
                    position -= units;
                    if (position > extra)
                        Push(pc, position, extra);
                    pc++;
                    return true;
                default:
                    throw new InvalidOperationException($"no way back to {instruction.Op}");
            }
        }

        return false;
    }

    private bool Looks(RegexInstruction instruction, int position)
    {
        int start = position;
        for (int i = 0; i < instruction.Min; i++)
        {
            if (!TryStepBack(ref start))
                return false;
        }

        if (instruction.Min == instruction.Max)
            return Run(instruction.A, start) >= 0;
        int outer = limit;
        limit = position;
        bool isFound = Run(instruction.A, start) >= 0;
        for (int width = instruction.Min; !isFound && width < instruction.Max && TryStepBack(ref start); width++)
        {
            Spend();
            isFound = Run(instruction.A, start) >= 0;
        }

        limit = outer;
        return isFound;
    }

    private readonly bool TryStepBack(ref int position)
    {
        if (position == 0)
            return false;
        UnicodeClasses.CodePointBefore(text, position, out int units);
        position -= units;
        return true;
    }

    private void Spend()
    {
        if (--budget < 0)
            throw new DiagnosticException("LB0208", $"the pattern {regex.Pattern} needs too many steps on this text ({text.Length} characters); write it without nested or overlapping repetition");
    }

    private readonly bool Holds(AssertionKind kind, int position) => kind switch
    {
        AssertionKind.TextStart => position == 0,
        AssertionKind.TextEnd => position == text.Length,
        AssertionKind.TextEndOrLastNewline => position == text.Length || (position == text.Length - 1 && text[position] == '\n'),
        AssertionKind.LineStart => position == 0 || (text[position - 1] == '\n' && position < text.Length),
        AssertionKind.LineEnd => position == text.Length || text[position] == '\n',
        AssertionKind.WordBoundary => IsBoundary(position),
        _ => !IsBoundary(position),
    };

    private readonly bool IsBoundary(int position)
    {
        bool before = position > 0 && UnicodeClasses.IsBareWord(UnicodeClasses.CodePointBefore(text, position, out _));
        bool after = position < text.Length && UnicodeClasses.IsBareWord(UnicodeClasses.CodePointAt(text, position, out _));
        return before != after;
    }

    private void Push(int pc, int position, int extra, int more = 0)
    {
        if (depth + 4 > stack.Length)
        {
            Array.Resize(ref stack, stack.Length * 2);
            Scratch.Stack = stack;
        }

        stack[depth] = pc;
        stack[depth + 1] = position;
        stack[depth + 2] = extra;
        stack[depth + 3] = more;
        depth += 4;
    }
}

/// <summary>The backtracking stack, kept between searches by its owner; not for several threads at once.</summary>
internal sealed class RegexScratch
{
    public int[] Stack { get; set; } = new int[256];
}
