// Reads a pattern with Oniguruma's (Ruby) syntax into a tree. What it does not know it refuses with the position; nothing is guessed.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

/// <summary>Groups do not capture: tokenizers only use the whole match. Back references, conditionals, absent operators, \K, \G and \X are refused.</summary>
internal sealed class RegexParser
{
    private const int LargestRepeat = 1000;
    private const int DeepestNesting = 200;

    private readonly string pattern;
    private int position;
    private bool ignoresCase;
    private bool dotMatchesNewline;
    private bool skipsSpace;
    private int depth;

    private RegexParser(string pattern) => this.pattern = pattern;

    /// <exception cref="RegexSyntaxException">The pattern is damaged or uses what is not supported.</exception>
    public static RegexNode Parse(string pattern)
    {
        RegexParser parser = new(pattern);
        RegexNode node = parser.ParseAlternation();
        return parser.position == pattern.Length ? RegexLowering.Lower(node, isBehind: false) : throw parser.Error("unmatched ')'");
    }

    private bool AtEnd => position >= pattern.Length;

    private RegexSyntaxException Error(string message) => new(message, position);

    private bool Take(string text)
    {
        if (string.CompareOrdinal(pattern, position, text, 0, text.Length) != 0)
            return false;
        position += text.Length;
        return true;
    }

    private int Next()
    {
        if (AtEnd)
            throw Error("the pattern ends too early");
        int c = UnicodeClasses.CodePointAt(pattern, position, out int units);
        position += units;
        return c;
    }

    private RegexNode ParseAlternation()
    {
        List<RegexNode> alternatives = [ParseSequence()];
        while (Take("|"))
            alternatives.Add(ParseSequence());
        return alternatives.Count == 1 ? alternatives[0] : new AlternationNode(alternatives);
    }

    private SequenceNode ParseSequence()
    {
        List<RegexNode> items = [];
        while (true)
        {
            SkipSpace();
            if (AtEnd || pattern[position] is '|' or ')')
                return new SequenceNode(items);
            RegexNode? atom = ParseAtom();
            if (atom is null)
                continue;
            SkipSpace();
            RegexNode item = ParseQuantifiers(atom);
            if (AsLiteral(item) is not { } literal)
                items.Add(item);
            else if (items.Count > 0 && items[^1] is LiteralNode last && last.IgnoresCase == literal.IgnoresCase)
                items[^1] = literal with { CodePoints = [.. last.CodePoints, .. literal.CodePoints] };
            else
                items.Add(literal);
        }
    }

    /// <summary>A literal, also one that stands in a group for itself; Oniguruma joins such neighbours.</summary>
    private static LiteralNode? AsLiteral(RegexNode node) => node switch
    {
        LiteralNode literal => literal,
        SequenceNode { Items: [RegexNode only] } => AsLiteral(only),
        _ => null,
    };

    /// <summary>With (?x), whitespace and comments between the items do not count.</summary>
    private void SkipSpace()
    {
        while (skipsSpace && !AtEnd && pattern[position] is ' ' or '\t' or '\n' or '\r' or '\f' or '\v' or '#')
        {
            if (pattern[position++] != '#')
                continue;
            while (!AtEnd && pattern[position] != '\n')
                position++;
        }
    }

    private RegexNode ParseQuantifiers(RegexNode atom)
    {
        int start = position;
        while (!AtEnd)
        {
            int min;
            int max;
            bool isInterval = false;
            bool isSwapped = false;
            switch (pattern[position])
            {
                case '*': (min, max) = (0, -1); position++; break;
                case '+': (min, max) = (1, -1); position++; break;
                case '?': (min, max) = (0, 1); position++; break;
                case '{' when TryInterval(out min, out max, out isSwapped): isInterval = true; break;
                default: return atom;
            }

            if (atom is AssertionNode or LookNode)
                throw new RegexSyntaxException("a quantifier behind what matches no characters", start);
            // A plus after an interval is a further quantifier, not a possessive mark; a question mark after {n} makes it optional.
            RepeatKind kind = isSwapped ? RepeatKind.Possessive
                : !(isInterval && min == max) && Take("?") ? RepeatKind.Lazy
                : !isInterval && Take("+") ? RepeatKind.Possessive : RepeatKind.Greedy;
            atom = new RepeatNode(atom, min, max, kind);
        }

        return atom;
    }

    /// <summary>Reads <c>{n}</c>, <c>{n,}</c>, <c>{,m}</c> or <c>{n,m}</c>; anything else is a literal brace. With the larger number first it is possessive.</summary>
    private bool TryInterval(out int min, out int max, out bool isSwapped)
    {
        (min, max, isSwapped) = (0, 0, false);
        int close = pattern.IndexOf('}', position);
        if (close < 0)
            return false;
        string[] parts = pattern[(position + 1)..close].Split(',');
        if (parts.Length > 2 || parts.All(p => p.Length == 0) || parts.Any(p => p.Any(c => !char.IsAsciiDigit(c)) || p.Length > 6))
            return false;
        int start = position;
        position = close + 1;
        min = parts[0].Length == 0 ? 0 : int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture);
        max = parts.Length == 1 ? min : parts[1].Length == 0 ? -1 : int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture);
        if (min > LargestRepeat || max > LargestRepeat)
            throw new RegexSyntaxException($"the interval {pattern[start..position]} is not between 0 and {LargestRepeat}", start);
        isSwapped = max >= 0 && min > max;
        if (isSwapped)
            (min, max) = (max, min);
        return true;
    }

    /// <summary>One atom, or null for something that only changes options.</summary>
    private RegexNode? ParseAtom()
    {
        int start = position;
        int c = Next();
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return RegexClassParser.Parse(pattern, ref position, ignoresCase);
            case '.':
                bool matchesNewline = dotMatchesNewline;
                return new SetNode(new CodePointSet(x => matchesNewline || x != '\n'));
            case '^':
                return new AssertionNode(AssertionKind.LineStart);
            case '$':
                return new AssertionNode(AssertionKind.LineEnd);
            case '\\':
                return ParseEscape(start);
            case '*' or '+' or '?':
                throw new RegexSyntaxException("a quantifier without anything to repeat", start);
            default:
                return Literal(c);
        }
    }

    private LiteralNode Literal(int c) => new([c], ignoresCase);

    private RegexNode ParseEscape(int start)
    {
        if (AtEnd)
            throw Error("the pattern ends in a backslash");
        AssertionKind? assertion = pattern[position] switch
        {
            'A' => AssertionKind.TextStart,
            'z' => AssertionKind.TextEnd,
            'Z' => AssertionKind.TextEndOrLastNewline,
            'b' => AssertionKind.WordBoundary,
            'B' => AssertionKind.NotWordBoundary,
            _ => null,
        };
        if (assertion is { } kind)
        {
            position++;
            return new AssertionNode(kind);
        }

        if (Take("R"))
            return LineBreak();
        position = start;
        return RegexClassParser.ParseClassEscape(pattern, ref position, isInClass: false) is { } set
            ? new SetNode(new CodePointSet(set))
            : Literal(RegexEscapes.ParseCodePoint(pattern, ref position, isInClass: false));
    }

    /// <summary>\R: a carriage return with its line feed, which it does not give back, or one character that ends a line.</summary>
    private static AtomicNode LineBreak() => new(new AlternationNode(
    [
        new LiteralNode(['\r', '\n'], IgnoresCase: false),
        new SetNode(new CodePointSet(c => c is (>= '\n' and <= '\r') or 0x85 or 0x2028 or 0x2029)),
    ]));

    private RegexNode? ParseGroup()
    {
        if (++depth > DeepestNesting)
            throw Error($"groups are nested deeper than {DeepestNesting}");
        RegexNode? node = ParseGroupBody();
        depth--;
        return node;
    }

    private RegexNode? ParseGroupBody()
    {
        (bool IgnoresCase, bool Dot, bool Space) outer = (ignoresCase, dotMatchesNewline, skipsSpace);
        // A capturing group and one with options keep their literal to themselves.
        Func<RegexNode, RegexNode> wrap = body => new SequenceNode([body, new SequenceNode([])]);
        if (Take("?"))
        {
            if (Take("#"))
            {
                int close = pattern.IndexOf(')', position);
                if (close < 0)
                    throw Error("a comment is not closed");
                position = close + 1;
                return null;
            }

            if (Take(":"))
                wrap = body => body;
            else if (Take("="))
                wrap = body => new LookNode(body, IsBehind: false, IsNegative: false);
            else if (Take("!"))
                wrap = body => new LookNode(body, IsBehind: false, IsNegative: true);
            else if (Take("<="))
                wrap = body => new LookNode(body, IsBehind: true, IsNegative: false);
            else if (Take("<!"))
                wrap = body => new LookNode(body, IsBehind: true, IsNegative: true);
            else if (Take(">"))
                wrap = body => new AtomicNode(body);
            else if (!AtEnd && pattern[position] is '<' or '\'')
                SkipName();
            else if (ParseOptions())
            {
                // (?i) without a colon holds until the enclosing group ends, alternatives included.
                if (Take(")"))
                    return RestoreOptions(ParseAlternation(), outer);
            }
            else
                throw Error("this kind of group is not supported");
        }

        RegexNode node = ParseAlternation();
        if (!Take(")"))
            throw Error("a group is not closed");
        return RestoreOptions(wrap(node), outer);
    }

    private RegexNode RestoreOptions(RegexNode node, (bool IgnoresCase, bool Dot, bool Space) outer)
    {
        (ignoresCase, dotMatchesNewline, skipsSpace) = outer;
        return node;
    }

    /// <summary>The name of a group; nothing refers to it.</summary>
    private void SkipName()
    {
        char last = pattern[position] == '<' ? '>' : '\'';
        int close = pattern.IndexOf(last, position + 1);
        if (close <= position + 1 || !(char.IsLetter(pattern[position + 1]) || pattern[position + 1] == '_'))
            throw Error("the name of a group is damaged");
        position = close + 1;
    }

    /// <summary>Reads option letters up to <c>:</c> (taken) or <c>)</c> (left).</summary>
    private bool ParseOptions()
    {
        bool value = true;
        int start = position;
        while (!AtEnd)
        {
            switch (pattern[position])
            {
                case 'i': ignoresCase = value; break;
                case 'm': dotMatchesNewline = value; break;
                case 'x': skipsSpace = value; break;
                case '-': value = false; break;
                case ':' when position > start: position++; return true;
                case ')' when position > start: return true;
                default: return false;
            }

            position++;
        }

        return false;
    }
}
