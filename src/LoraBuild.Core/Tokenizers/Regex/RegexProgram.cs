// The instructions that a pattern is compiled to, and the compiler.
namespace LoraBuild.Core.Tokenizers.Regex;

internal enum RegexOp
{
    /// <summary>One code point of Set.</summary>
    Set,

    /// <summary>Min…Max code points of Set, greedily; gives them back one at a time unless IsAtomic.</summary>
    SetLoop,

    /// <summary>The first of the alternatives at Targets that leads on.</summary>
    Alternatives,

    /// <summary>Go on at A; when that fails, at B.</summary>
    Split,

    /// <summary>Go on at A.</summary>
    Jump,

    /// <summary>Remember the position in register A.</summary>
    Mark,

    /// <summary>Leave the loop to B when nothing was consumed since register A was set.</summary>
    CheckProgress,

    /// <summary>Run the sub-program at A, which ends in Match: an atomic group; go on at B.</summary>
    Atomic,

    /// <summary>Run the sub-program at A without consuming; Min and Max are the widths of a look-behind or −1, IsNegative; go on at B.</summary>
    Look,

    Assertion,

    /// <summary>Fail unless all that a look-behind of several widths may read was read.</summary>
    CheckEnd,
    Match,
}

internal sealed class RegexInstruction(RegexOp op)
{
    public RegexOp Op { get; } = op;

    public int A { get; set; }

    public int B { get; set; }

    public CodePointSet? Set { get; init; }

    public int Min { get; init; }

    public int Max { get; init; }

    public bool IsAtomic { get; set; }

    public bool IsNegative { get; init; }

    public AssertionKind Assertion { get; init; }

    public int[] Targets { get; set; } = [];

    /// <summary>What each alternative can begin with; null: try it.</summary>
    public CodePointSet?[] Firsts { get; init; } = [];

    /// <summary>For each ASCII character the bits of the alternatives that it can begin.</summary>
    public ulong[] AsciiMasks { get; init; } = [];
}

internal sealed class RegexCompiler
{
    private const int LargestProgram = 20_000;
    private const int LargestAlternation = 64;

    private readonly List<RegexInstruction> code = [];

    public int Registers { get; private set; }

    public IReadOnlyList<RegexInstruction> Code => code;

    /// <exception cref="RegexSyntaxException">The pattern needs too large a program.</exception>
    public static (RegexInstruction[] Code, int Registers) Compile(RegexNode node)
    {
        RegexCompiler compiler = new();
        compiler.Emit(node);
        compiler.Add(new RegexInstruction(RegexOp.Match));
        RegexInstruction[] program = [.. compiler.code];
        for (int i = 0; i + 1 < program.Length; i++)
        {
            // Nothing behind it can fail, so a loop need not remember how to give back.
            if (program[i].Op == RegexOp.SetLoop && EndsAt(program, i + 1))
                program[i].IsAtomic = true;
        }

        return (program, compiler.Registers);
    }

    private static bool EndsAt(RegexInstruction[] program, int at)
    {
        while (program[at].Op == RegexOp.Jump && program[at].A > at)
            at = program[at].A;
        return program[at].Op == RegexOp.Match;
    }

    private int Add(RegexInstruction instruction)
    {
        if (code.Count >= LargestProgram)
            throw new RegexSyntaxException($"the pattern needs more than {LargestProgram} instructions", 0);
        code.Add(instruction);
        return code.Count - 1;
    }

    private void Emit(RegexNode node)
    {
        switch (node)
        {
            case SetNode set:
                Add(new RegexInstruction(RegexOp.Set) { Set = set.Set });
                break;
            case SequenceNode sequence:
                foreach (RegexNode item in sequence.Items)
                    Emit(item);
                break;
            case AlternationNode alternation:
                EmitAlternation(alternation.Items);
                break;
            case RepeatNode repeat:
                EmitRepeat(repeat);
                break;
            case AtomicNode atomic:
                EmitSub(new RegexInstruction(RegexOp.Atomic), atomic.Body);
                break;
            case LookNode look:
                EmitLook(look);
                break;
            case AssertionNode assertion:
                Add(new RegexInstruction(RegexOp.Assertion) { Assertion = assertion.Kind });
                break;
            default:
                throw new InvalidOperationException($"unknown node {node.GetType().Name}");
        }
    }

    private void EmitLook(LookNode look)
    {
        (int min, int max) = look.IsBehind ? look.Body.Widths : (-1, -1);
        EmitSub(new RegexInstruction(RegexOp.Look) { Min = min, Max = max, IsNegative = look.IsNegative }, look.Body);
    }

    private void EmitSub(RegexInstruction instruction, RegexNode body)
    {
        Add(instruction);
        instruction.A = code.Count;
        Emit(body);
        if (instruction.Min != instruction.Max)
            Add(new RegexInstruction(RegexOp.CheckEnd));
        Add(new RegexInstruction(RegexOp.Match));
        instruction.B = code.Count;
    }

    private void EmitAlternation(IReadOnlyList<RegexNode> items)
    {
        if (items.Count > LargestAlternation)
        {
            List<RegexNode> head = [.. items.Take(LargestAlternation - 1), new AlternationNode([.. items.Skip(LargestAlternation - 1)])];
            items = head;
        }

        CodePointSet?[] firsts = [.. items.Select(i => i.First)];
        var masks = new ulong[128];
        for (int c = 0; c < 128; c++)
        {
            for (int i = 0; i < firsts.Length; i++)
                masks[c] |= firsts[i]?.Contains(c) ?? true ? 1UL << i : 0;
        }

        RegexInstruction alternatives = new(RegexOp.Alternatives) { Firsts = firsts, AsciiMasks = masks };
        Add(alternatives);
        var targets = new int[items.Count];
        List<RegexInstruction> jumps = [];
        for (int i = 0; i < items.Count; i++)
        {
            targets[i] = code.Count;
            Emit(items[i]);
            if (i == items.Count - 1)
                break;
            RegexInstruction jump = new(RegexOp.Jump);
            Add(jump);
            jumps.Add(jump);
        }

        alternatives.Targets = targets;
        foreach (RegexInstruction jump in jumps)
            jump.A = code.Count;
    }

    private void EmitRepeat(RepeatNode repeat)
    {
        RegexNode body = repeat.Body;
        while (body is SequenceNode { Items.Count: 1 } single)
            body = single.Items[0];
        if (body is SetNode set && repeat.Kind != RepeatKind.Lazy)
        {
            Add(new RegexInstruction(RegexOp.SetLoop)
            {
                Set = set.Set,
                Min = repeat.Min,
                Max = repeat.Max < 0 ? int.MaxValue : repeat.Max,
                IsAtomic = repeat.Kind == RepeatKind.Possessive,
            });
            return;
        }

        if (repeat.Kind == RepeatKind.Possessive)
        {
            EmitSub(new RegexInstruction(RegexOp.Atomic), repeat with { Kind = RepeatKind.Greedy });
            return;
        }

        for (int i = 0; i < repeat.Min; i++)
            Emit(body);
        bool isLazy = repeat.Kind == RepeatKind.Lazy;
        if (repeat.Max < 0)
        {
            EmitUnlimited(body, isLazy);
            return;
        }

        List<RegexInstruction> splits = [];
        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            RegexInstruction split = new(RegexOp.Split);
            Add(split);
            splits.Add(split);
            Point(split, code.Count, isLazy, isBody: true);
            Emit(body);
        }

        foreach (RegexInstruction split in splits)
            Point(split, code.Count, isLazy, isBody: false);
    }

    private void EmitUnlimited(RegexNode body, bool isLazy)
    {
        RegexInstruction split = new(RegexOp.Split);
        int loop = Add(split);
        int register = Registers++;
        Point(split, code.Count, isLazy, isBody: true);
        Add(new RegexInstruction(RegexOp.Mark) { A = register });
        Emit(body);
        RegexInstruction check = new(RegexOp.CheckProgress) { A = register };
        Add(check);
        Add(new RegexInstruction(RegexOp.Jump) { A = loop });
        check.B = code.Count;
        Point(split, code.Count, isLazy, isBody: false);
    }

    private static void Point(RegexInstruction split, int target, bool isLazy, bool isBody)
    {
        if (isBody != isLazy)
            split.A = target;
        else
            split.B = target;
    }
}
