// Reads what stands for one character: bracket classes with ranges, nesting and intersection, POSIX brackets, and escapes of classes.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

internal static class RegexClassParser
{
    private const int DeepestNesting = 100;

    /// <summary>Reads a bracket class; <paramref name="position"/> stands behind the opening bracket and ends behind the closing one.</summary>
    public static RegexNode Parse(string pattern, ref int position, bool ignoresCase)
    {
        (Func<int, bool> positive, bool isNegated) = ParseBody(pattern, ref position, 0);
        if (!ignoresCase)
            return new SetNode(new CodePointSet(isNegated ? c => !positive(c) : positive));
        // Oniguruma folds the finished class, and negates last.
        Func<int, bool> closed = new CodePointSet(CaseFolding.Close(positive)).Contains;
        return isNegated
            ? new SetNode(new CodePointSet(c => !closed(c)))
            : new FoldedClassNode(new CodePointSet(closed), [.. CaseFolding.SequencesOf(positive)]);
    }

    private static (Func<int, bool> Positive, bool IsNegated) ParseBody(string pattern, ref int position, int depth)
    {
        int start = position;
        if (depth > DeepestNesting)
            throw new RegexSyntaxException($"character classes are nested deeper than {DeepestNesting}", start);
        bool isNegated = position < pattern.Length && pattern[position] == '^';
        if (isNegated)
            position++;
        List<Func<int, bool>> items = [];
        Func<int, bool>? intersection = null;
        bool isFirst = true;
        while (true)
        {
            if (position >= pattern.Length)
                throw new RegexSyntaxException("a character class is not closed", start);
            if (pattern[position] == ']' && (!isFirst || pattern.IndexOf(']', position + 1) < 0))
            {
                if (isFirst)
                    throw new RegexSyntaxException("a character class is empty", start);
                position++;
                break;
            }

            isFirst = false;
            if (pattern[position] == '[')
                items.Add(ParsePosix(pattern, ref position) ?? ParseNested(pattern, ref position, depth));
            else if (string.CompareOrdinal(pattern, position, "&&", 0, 2) == 0)
            {
                position += 2;
                intersection = And(intersection, Any(items));
                items = [];
            }
            else
                items.Add(ParseItem(pattern, ref position));
        }

        return (And(intersection, Any(items)), isNegated);
    }

    private static Func<int, bool> ParseNested(string pattern, ref int position, int depth)
    {
        position++;
        (Func<int, bool> positive, bool isNegated) = ParseBody(pattern, ref position, depth + 1);
        return isNegated ? c => !positive(c) : positive;
    }

    /// <summary><c>[:name:]</c> or <c>[:^name:]</c>; null where no such bracket begins here.</summary>
    private static Func<int, bool>? ParsePosix(string pattern, ref int position)
    {
        if (string.CompareOrdinal(pattern, position, "[:", 0, 2) != 0)
            return null;
        int close = pattern.IndexOf(":]", position + 2, StringComparison.Ordinal);
        string name = close < 0 ? "" : pattern[(position + 2)..close];
        bool isNegated = name.StartsWith('^');
        Func<int, bool> set = UnicodeProperties.FindPosix(isNegated ? name[1..] : name)
            ?? throw new RegexSyntaxException($"a POSIX bracket is one of {UnicodeProperties.PosixNames}", position);
        position = close + 2;
        return isNegated ? c => !set(c) : set;
    }

    private static Func<int, bool> Any(List<Func<int, bool>> items)
    {
        Func<int, bool>[] fixedItems = [.. items];
        return c =>
        {
            foreach (Func<int, bool> item in fixedItems)
            {
                if (item(c))
                    return true;
            }

            return false;
        };
    }

    private static Func<int, bool> And(Func<int, bool>? left, Func<int, bool> right) => left is null ? right : c => left(c) && right(c);

    private static Func<int, bool> ParseItem(string pattern, ref int position)
    {
        if (ParseClassEscape(pattern, ref position, isInClass: true) is { } set)
        {
            if (BeginsRange(pattern, position))
                throw new RegexSyntaxException("a class cannot begin a range", position);
            return set;
        }

        int first = RegexEscapes.ParseCodePoint(pattern, ref position, isInClass: true);
        if (!BeginsRange(pattern, position))
            return c => c == first;
        int at = position++;
        if (pattern[position] == '[' || ParseClassEscape(pattern, ref position, isInClass: true) is not null)
            throw new RegexSyntaxException("a class cannot end a range", at);
        int last = RegexEscapes.ParseCodePoint(pattern, ref position, isInClass: true);
        return last >= first ? c => c >= first && c <= last : throw new RegexSyntaxException("a range in a character class runs backwards", at);
    }

    private static bool BeginsRange(string pattern, int position) => position + 1 < pattern.Length && pattern[position] == '-' && pattern[position + 1] != ']';

    /// <summary>A class as one escape, or null where another escape stands here.</summary>
    public static Func<int, bool>? ParseClassEscape(string pattern, ref int position, bool isInClass)
    {
        if (pattern[position] != '\\' || position + 1 >= pattern.Length)
            return null;
        char kind = pattern[position + 1];
        Func<int, bool> isWord = isInClass ? UnicodeClasses.IsWord : UnicodeClasses.IsBareWord;
        Func<int, bool>? set = kind switch
        {
            's' => UnicodeClasses.IsWhiteSpace,
            'S' => c => !UnicodeClasses.IsWhiteSpace(c),
            'd' => UnicodeClasses.IsDecimalDigit,
            'D' => c => !UnicodeClasses.IsDecimalDigit(c),
            'w' => isWord,
            'W' => c => !isWord(c),
            'h' => c => c < 128 && char.IsAsciiHexDigit((char)c),
            'H' => c => c >= 128 || !char.IsAsciiHexDigit((char)c),
            'N' when !isInClass => c => c != '\n',
            'O' when !isInClass => _ => true,
            _ => null,
        };
        if (set is not null)
        {
            position += 2;
            return set;
        }

        return kind is 'p' or 'P' ? ParseProperty(pattern, ref position, isInClass) : null;
    }

    private static Func<int, bool> ParseProperty(string pattern, ref int position, bool isInClass)
    {
        int start = position;
        bool isNegated = pattern[position + 1] == 'P';
        int close = pattern.IndexOf('}', position);
        if (position + 2 >= pattern.Length || pattern[position + 2] != '{' || close < 0)
            throw new RegexSyntaxException("a property is written \\p{Name}", start);
        string name = pattern[(position + 3)..close];
        if (name.StartsWith('^'))
        {
            isNegated = !isNegated;
            name = name[1..];
        }

        position = close + 1;
        Func<int, bool> set = !isInClass && UnicodeProperties.Key(name) == "word"
            ? UnicodeClasses.IsBareWord
            : UnicodeProperties.Find(name) ?? throw new RegexSyntaxException($"the property \\p{{{name}}} is not known; known are {UnicodeProperties.Known}", start);
        return isNegated ? c => !set(c) : set;
    }
}
