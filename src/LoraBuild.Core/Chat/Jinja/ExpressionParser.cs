// Parses expressions with Jinja2's precedence: `~` above `+`, unary minus above `**` and filters, filters above every binary operator.
using System.Globalization;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal sealed class ExpressionParser(TokenStream stream)
{
    /// <summary>Names read since the innermost macro's beginning; a macro takes <c>caller</c>, <c>kwargs</c>, <c>varargs</c> only when it mentions them.</summary>
    public HashSet<string> NamesRead { get; set; } = [];

    public Expression Parse(bool withCondition = true)
    {
        Budget.Current.Descend();
        Expression expression = withCondition ? ParseCondition() : ParseOr();
        Budget.Current.Ascend();
        return expression;
    }

    /// <summary>One expression, or several with commas as a tuple.</summary>
    public Expression ParseTuple(bool withCondition = true, string? endName = null, bool isInParentheses = false)
    {
        Token start = stream.Current;
        List<Expression> items = [];
        bool isTuple = false;
        while (!IsTupleEnd(endName))
        {
            items.Add(Parse(withCondition));
            if (!stream.SkipOperator(","))
                break;
            isTuple = true;
        }

        if (!isTuple)
        {
            if (items.Count > 0)
                return items[0];
            if (!isInParentheses)
                throw stream.Fail($"Expected an expression, got '{stream.Current.Describe()}'");
        }

        return new TupleExpression(start, items);
    }

    public Target ParseTarget(string? endName = null, bool withNamespace = false, bool withTuple = true)
    {
        Token start = stream.Current;
        List<Target> targets = [];
        bool isTuple = false;
        while (!IsTupleEnd(endName))
        {
            targets.Add(ParseSingleTarget(withNamespace));
            if (!withTuple || !stream.SkipOperator(","))
                break;
            isTuple = true;
        }

        if (targets.Count == 0)
            throw stream.Fail($"Expected an expression, got '{stream.Current.Describe()}'");
        return isTuple ? new TupleTarget(start, targets) : targets[0];
    }

    /// <summary>Filters behind <paramref name="operand"/>; with <paramref name="isInline"/> the first has no bar.</summary>
    public Expression? ParseFilters(Expression? operand, bool isInline = false)
    {
        while (isInline || stream.Current.IsOperator("|"))
        {
            if (!isInline)
                stream.Next();
            isInline = false;
            Token token = stream.Current;
            string name = DottedName();
            Func<Runtime, Arguments, object?> filter = Filters.Find(name) ?? throw stream.Fail($"No filter named '{name}'.", token, JinjaErrorKind.TemplateAssertionError);
            CallArguments arguments = stream.Current.IsOperator("(") ? ParseArguments() : CallArguments.Empty;
            operand = new FilterExpression(token, filter, operand, arguments);
        }

        return operand;
    }

    public CallArguments ParseArguments()
    {
        stream.ExpectOperator("(");
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        Expression? star = null;
        Expression? doubleStar = null;
        bool needsComma = false;
        while (!stream.Current.IsOperator(")"))
        {
            if (needsComma)
            {
                stream.ExpectOperator(",");
                if (stream.Current.IsOperator(")"))
                    break;
            }

            if (stream.Current.IsOperator("*") && star is null && doubleStar is null)
            {
                stream.Next();
                star = Parse();
            }
            else if (stream.Current.IsOperator("**") && doubleStar is null)
            {
                stream.Next();
                doubleStar = Parse();
            }
            else if (stream.Current.Kind == TokenKind.Name && stream.Ahead.IsOperator("=") && doubleStar is null)
            {
                string name = stream.Next().Text;
                stream.Next();
                named.Add((name, Parse()));
            }
            else if (named.Count == 0 && star is null && doubleStar is null)
            {
                positional.Add(Parse());
            }
            else
            {
                throw stream.Fail("invalid syntax for function call expression");
            }

            needsComma = true;
        }

        stream.ExpectOperator(")");
        return new CallArguments(positional, named, star, doubleStar);
    }

    private bool IsTupleEnd(string? endName) => stream.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd
        || stream.Current.IsOperator(")") || (endName is not null && stream.Current.IsName(endName));

    private Target ParseSingleTarget(bool withNamespace)
    {
        Budget.Current.Descend();
        Target target = ParseTargetItem(withNamespace);
        Budget.Current.Ascend();
        return target;
    }

    private Target ParseTargetItem(bool withNamespace)
    {
        Token token = stream.Current;
        if (token.IsOperator("("))
        {
            stream.Next();
            Target inner = ParseTarget(withNamespace: withNamespace);
            stream.ExpectOperator(")");
            return inner;
        }

        if (token.Kind != TokenKind.Name)
        {
            Expression expression = ParsePrimary();
            throw stream.Fail($"can't assign to '{(expression is ConstantExpression ? "const" : expression is ListExpression ? "list" : "dict")}'", token);
        }

        if (token.Text is "true" or "false" or "none" or "True" or "False" or "None")
            throw stream.Fail("can't assign to 'const'", token);
        stream.Next();
        if (withNamespace && stream.SkipOperator("."))
        {
            NamesRead.Add(token.Text);
            return new NamespaceTarget(token, stream.ExpectName().Text);
        }

        return new NameTarget(token);
    }

    private Expression ParseCondition()
    {
        Token token = stream.Current;
        Expression value = ParseOr();
        while (stream.SkipName("if"))
        {
            Expression condition = ParseOr();
            Expression? otherwise = stream.SkipName("else") ? Parse() : null;
            value = new ConditionalExpression(token, condition, value, otherwise);
        }

        return value;
    }

    private Expression ParseOr()
    {
        Expression left = ParseAnd();
        for (Token token = stream.Current; stream.SkipName("or"); token = stream.Current)
            left = new BinaryExpression(token, "or", left, ParseAnd());
        return left;
    }

    private Expression ParseAnd()
    {
        Expression left = ParseNot();
        for (Token token = stream.Current; stream.SkipName("and"); token = stream.Current)
            left = new BinaryExpression(token, "and", left, ParseNot());
        return left;
    }

    private Expression ParseNot()
    {
        Token token = stream.Current;
        if (!stream.SkipName("not"))
            return ParseCompare();
        Budget.Current.Descend();
        UnaryExpression negated = new(token, "not", ParseNot());
        Budget.Current.Ascend();
        return negated;
    }

    private Expression ParseCompare()
    {
        Token token = stream.Current;
        Expression first = ParseSum();
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (stream.Current.Kind == TokenKind.Operator && stream.Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" && stream.Current.Kind == TokenKind.Operator)
                rest.Add((stream.Next().Text, ParseSum()));
            else if (stream.SkipName("in"))
                rest.Add(("in", ParseSum()));
            else if (stream.Current.IsName("not") && stream.Ahead.IsName("in"))
            {
                stream.Next();
                stream.Next();
                rest.Add(("not in", ParseSum()));
            }
            else
                return rest.Count == 0 ? first : new CompareExpression(token, first, rest);
        }
    }

    private Expression ParseSum()
    {
        Expression left = ParseConcat();
        while (stream.Current.IsOperator("+") || stream.Current.IsOperator("-"))
        {
            Token token = stream.Next();
            left = new BinaryExpression(token, token.Text, left, ParseConcat());
        }

        return left;
    }

    private Expression ParseConcat()
    {
        Token token = stream.Current;
        List<Expression> parts = [ParseProduct()];
        while (stream.SkipOperator("~"))
            parts.Add(ParseProduct());
        return parts.Count == 1 ? parts[0] : new ConcatExpression(token, parts);
    }

    private Expression ParseProduct()
    {
        Expression left = ParsePower();
        while (stream.Current.Kind == TokenKind.Operator && stream.Current.Text is "*" or "/" or "//" or "%")
        {
            Token token = stream.Next();
            left = new BinaryExpression(token, token.Text, left, ParsePower());
        }

        return left;
    }

    private Expression ParsePower()
    {
        Expression left = ParseUnary(withFilters: true);
        while (stream.Current.IsOperator("**"))
        {
            Token token = stream.Next();
            left = new BinaryExpression(token, "**", left, ParseUnary(withFilters: true));
        }

        return left;
    }

    private Expression ParseUnary(bool withFilters)
    {
        Budget.Current.Descend();
        Token token = stream.Current;
        Expression value = token.IsOperator("-") || token.IsOperator("+")
            ? new UnaryExpression(stream.Next(), token.Text, ParseUnary(withFilters: false))
            : ParsePrimary();
        Budget.Current.Ascend();
        value = ParsePostfix(value);
        return withFilters ? ParseFilterAndTests(value) : value;
    }

    private Expression ParseFilterAndTests(Expression value)
    {
        while (true)
        {
            if (stream.Current.IsOperator("|"))
                value = ParseFilters(value)!;
            else if (stream.Current.IsName("is"))
                value = ParseTest(value);
            else if (stream.Current.IsOperator("("))
                value = new CallExpression(stream.Current, value, ParseArguments());
            else
                return value;
        }
    }

    private Expression ParseTest(Expression value)
    {
        Token token = stream.Next();
        bool isNegated = stream.SkipName("not");
        Token nameToken = stream.Current;
        string name = DottedName();
        CallArguments arguments = CallArguments.Empty;
        Token next = stream.Current;
        if (next.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if (next.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float || next.IsOperator("[") || next.IsOperator("{"))
        {
            if (next.IsName("is"))
                throw stream.Fail("You cannot chain multiple tests with is");
            if (!next.IsName("else") && !next.IsName("or") && !next.IsName("and"))
                arguments = new CallArguments([ParsePostfix(ParsePrimary())], [], null, null);
        }

        Func<Runtime, Arguments, bool> test = Tests.Find(name) ?? throw stream.Fail($"No test named '{name}'.", nameToken, JinjaErrorKind.TemplateAssertionError);
        Expression result = new TestExpression(nameToken, test, value, arguments);
        return isNegated ? new UnaryExpression(token, "not", result) : result;
    }

    private string DottedName()
    {
        List<string> names = [stream.ExpectName().Text];
        while (stream.SkipOperator("."))
            names.Add(stream.ExpectName().Text);
        return string.Join('.', names);
    }

    private Expression ParsePostfix(Expression value)
    {
        while (true)
        {
            Token token = stream.Current;
            if (token.IsOperator("(") )
                value = new CallExpression(token, value, ParseArguments());
            else if (stream.SkipOperator("."))
                value = ParseMember(token, value);
            else if (stream.SkipOperator("["))
                value = ParseSubscript(token, value);
            else
                return value;
        }
    }

    private Expression ParseMember(Token token, Expression value)
    {
        Token member = stream.Next();
        return member.Kind switch
        {
            TokenKind.Name => new AttributeExpression(member, value, member.Text),
            TokenKind.Integer => new ItemExpression(member, value, new ConstantExpression(member, Number(member))),
            _ => throw stream.Fail("expected name or number", member),
        };
    }

    private Expression ParseSubscript(Token token, Expression value)
    {
        List<Expression> indices = [];
        while (!stream.Current.IsOperator("]"))
        {
            if (indices.Count > 0)
                stream.ExpectOperator(",");
            Expression? start = stream.Current.IsOperator(":") ? null : Parse();
            if (!stream.SkipOperator(":"))
            {
                indices.Add(start!);
                continue;
            }

            Expression? stop = IsSliceEnd() ? null : Parse();
            Expression? step = stream.SkipOperator(":") && !IsSliceEnd() ? Parse() : null;
            if (indices.Count > 0 || !stream.Current.IsOperator("]"))
                throw stream.Fail("a slice must stand alone between the brackets");
            stream.Next();
            return new SliceExpression(token, value, start, stop, step);
        }

        stream.Next();
        return new ItemExpression(token, value, indices.Count == 1 ? indices[0] : new TupleExpression(token, indices));
    }

    private bool IsSliceEnd() => stream.Current.IsOperator(":") || stream.Current.IsOperator("]") || stream.Current.IsOperator(",");

    private Expression ParsePrimary()
    {
        Token token = stream.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new ConstantExpression(token, true),
                    "false" or "False" => new ConstantExpression(token, false),
                    "none" or "None" => new ConstantExpression(token, null),
                    _ => ReadName(token),
                };
            case TokenKind.String:
                List<string> texts = [token.Text];
                while (stream.Current.Kind == TokenKind.String)
                    texts.Add(stream.Next().Text);
                return new ConstantExpression(token, string.Concat(texts));
            case TokenKind.Integer or TokenKind.Float:
                return new ConstantExpression(token, Number(token));
            case TokenKind.Operator when token.Text == "(":
                Expression inner = ParseTuple(isInParentheses: true);
                stream.ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return ParseList(token);
            case TokenKind.Operator when token.Text == "{":
                return ParseDict(token);
            default:
                throw stream.Fail($"unexpected '{token.Describe()}'", token);
        }
    }

    private NameExpression ReadName(Token token)
    {
        NamesRead.Add(token.Text);
        return new NameExpression(token, token.Text);
    }

    private ListExpression ParseList(Token token)
    {
        List<Expression> items = [];
        while (!stream.Current.IsOperator("]"))
        {
            if (items.Count > 0)
                stream.ExpectOperator(",");
            if (stream.Current.IsOperator("]"))
                break;
            items.Add(Parse());
        }

        stream.ExpectOperator("]");
        return new ListExpression(token, items);
    }

    private DictExpression ParseDict(Token token)
    {
        List<(Expression, Expression)> entries = [];
        while (!stream.Current.IsOperator("}"))
        {
            if (entries.Count > 0)
                stream.ExpectOperator(",");
            if (stream.Current.IsOperator("}"))
                break;
            Expression key = Parse();
            stream.ExpectOperator(":");
            entries.Add((key, Parse()));
        }

        stream.ExpectOperator("}");
        return new DictExpression(token, entries);
    }

    private object Number(Token token)
    {
        string text = token.Text.Replace("_", "", StringComparison.Ordinal);
        if (token.Kind == TokenKind.Float)
            return double.Parse(text, CultureInfo.InvariantCulture);
        if (text.Length > 4300)
            throw stream.Fail("an integer has more than 4300 digits", token);
        if (text.Length > 1 && char.IsAsciiLetter(text[1]))
        {
            int radix = char.ToLowerInvariant(text[1]) switch { 'x' => 16, 'o' => 8, _ => 2 };
            return NumberFilters.ParseDigits(text.AsSpan(2), radix) ?? throw stream.Fail("a number has a digit that its base lacks", token);
        }

        return BigInteger.Parse(text, CultureInfo.InvariantCulture);
    }
}
