// Reads a pattern with Oniguruma's (Ruby) syntax into a tree. What it does not know it refuses with the position; nothing is guessed.
using LoraBuild.Core.Tokenizers.Unicode;

namespace LoraBuild.Core.Tokenizers.Regex;

/// <summary>Groups do not capture: tokenizers only use the whole match. Back references, conditionals and POSIX brackets are refused.</summary>
internal sealed class RegexParser
{
    private const int LargestRepeat = 1000;

    private readonly string pattern;
    private int position;
    private bool ignoresCase;
    private bool dotMatchesNewline;

    private RegexParser(string pattern) => this.pattern = pattern;

    /// <exception cref="RegexSyntaxException">The pattern is damaged or uses what is not supported.</exception>
    public static RegexNode Parse(string pattern)
    {
        RegexParser parser = new(pattern);
        RegexNode node = parser.ParseAlternation();
        return parser.position == pattern.Length ? node : throw parser.Error("unmatched ')'");
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
        while (!AtEnd && pattern[position] is not ('|' or ')'))
        {
            RegexNode? atom = ParseAtom();
            if (atom is not null)
                items.Add(ParseQuantifiers(atom));
        }

        return new SequenceNode(items);
    }

    private RegexNode ParseQuantifiers(RegexNode atom)
    {
        while (!AtEnd)
        {
            int min;
            int max;
            bool isInterval = false;
            switch (pattern[position])
            {
                case '*': (min, max) = (0, -1); position++; break;
                case '+': (min, max) = (1, -1); position++; break;
                case '?': (min, max) = (0, 1); position++; break;
                case '{' when TryInterval(out min, out max): isInterval = true; break;
                default: return atom;
            }

            // In Ruby's syntax a plus after an interval is a further quantifier, not a possessive mark.
            RepeatKind kind = Take("?") ? RepeatKind.Lazy : !isInterval && Take("+") ? RepeatKind.Possessive : RepeatKind.Greedy;
            atom = new RepeatNode(atom, min, max, kind);
        }

        return atom;
    }

    /// <summary>Reads <c>{n}</c>, <c>{n,}</c>, <c>{,m}</c> or <c>{n,m}</c>; anything else is a literal brace.</summary>
    private bool TryInterval(out int min, out int max)
    {
        (min, max) = (0, 0);
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
        if (min > LargestRepeat || max > LargestRepeat || (max >= 0 && min > max))
            throw new RegexSyntaxException($"the interval {pattern[start..position]} is not between 0 and {LargestRepeat}", start);
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
                return new SetNode(RegexClassParser.Parse(pattern, ref position, ignoresCase));
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

    private SetNode Literal(int c) => new(ignoresCase ? CaseFolding.Equivalents(c) : CodePointSet.Single(c));

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

        position = start;
        return new SetNode(RegexClassParser.ParseEscape(pattern, ref position, ignoresCase));
    }

    private RegexNode? ParseGroup()
    {
        bool outerIgnoresCase = ignoresCase;
        bool outerDot = dotMatchesNewline;
        Func<RegexNode, RegexNode> wrap = body => body;
        if (Take("?"))
        {
            if (Take(":"))
            {
                // Nothing to do: groups never capture.
            }
            else if (Take("="))
                wrap = body => new LookNode(body, IsBehind: false, IsNegative: false);
            else if (Take("!"))
                wrap = body => new LookNode(body, IsBehind: false, IsNegative: true);
            else if (Take("<="))
                wrap = body => Behind(body, isNegative: false);
            else if (Take("<!"))
                wrap = body => Behind(body, isNegative: true);
            else if (Take(">"))
                wrap = body => new AtomicNode(body);
            else if (ParseOptions())
            {
                // (?i) without a colon holds until the enclosing group ends, alternatives included.
                if (Take(")"))
                    return ParseRestWithOptions(outerIgnoresCase, outerDot);
            }
            else
                throw Error("this kind of group is not supported");
        }

        RegexNode node = ParseAlternation();
        if (!Take(")"))
            throw Error("a group is not closed");
        (ignoresCase, dotMatchesNewline) = (outerIgnoresCase, outerDot);
        return wrap(node);
    }

    private RegexNode ParseRestWithOptions(bool outerIgnoresCase, bool outerDot)
    {
        RegexNode rest = ParseAlternation();
        (ignoresCase, dotMatchesNewline) = (outerIgnoresCase, outerDot);
        return rest;
    }

    private LookNode Behind(RegexNode body, bool isNegative) =>
        body.Width is null ? throw Error("a look-behind must have one fixed length") : new LookNode(body, IsBehind: true, isNegative);

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
