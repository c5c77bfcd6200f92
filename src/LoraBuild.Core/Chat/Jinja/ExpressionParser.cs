// Parses expressions with Jinja2's precedence: `~` above `+`, unary minus above `**` and filters, filters above every binary operator.
namespace LoraBuild.Core.Chat.Jinja;

internal sealed partial class ExpressionParser(TokenStream stream)
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
}
