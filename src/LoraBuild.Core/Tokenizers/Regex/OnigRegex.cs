// A split pattern with Oniguruma's meaning, matched over code points by backtracking under a step budget.
namespace LoraBuild.Core.Tokenizers.Regex;

/// <summary>Thread-safe: all state of a search is in <see cref="RegexMatcher"/>.</summary>
internal sealed class OnigRegex
{
    private OnigRegex(string pattern, RegexInstruction[] code, int registers)
    {
        Pattern = pattern;
        Code = code;
        Registers = registers;
    }

    public string Pattern { get; }

    internal RegexInstruction[] Code { get; }

    internal int Registers { get; }

    /// <exception cref="RegexSyntaxException">The pattern is damaged or uses what is not supported.</exception>
    public static OnigRegex Parse(string pattern)
    {
        (RegexInstruction[] code, int registers) = RegexCompiler.Compile(RegexParser.Parse(pattern));
        return new OnigRegex(pattern, code, registers);
    }
}
