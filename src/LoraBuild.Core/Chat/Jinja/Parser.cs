// Parses a template into statements. Unknown tags, filters and tests fail here, wherever they stand.
namespace LoraBuild.Core.Chat.Jinja;

internal sealed class Parser
{
    private static readonly string[] InnerTags = ["endfor", "endif", "else", "elif", "endmacro", "endcall", "endfilter", "endset", "endwith", "endautoescape", "endblock", "endgeneration"];

    private readonly TokenStream stream;
    private readonly ExpressionParser expressions;
    private readonly Dictionary<string, BlockStatement> blocks = [];
    private readonly Stack<(string Tag, string[] Ends)> open = new();
    private int loopDepth;
    private bool marksGeneration;

    private Parser(TokenStream stream)
    {
        this.stream = stream;
        expressions = new ExpressionParser(stream);
    }

    /// <exception cref="JinjaException">With line and column.</exception>
    public static ParsedTemplate Parse(string source, JinjaOptions options)
    {
        Parser parser = new(new TokenStream(Lexer.Tokenize(source, options)));
        try
        {
            IReadOnlyList<Statement> body = parser.ParseBody([]);
            return new ParsedTemplate(body, parser.blocks, parser.marksGeneration);
        }
        catch (JinjaException e)
        {
            throw e.At(parser.stream.Current.Line, parser.stream.Current.Column); // nested too deep: where the parser stands
        }
    }

    /// <summary>Statements up to one of <paramref name="ends"/>, whose name token is then the current one.</summary>
    private List<Statement> ParseBody(string[] ends)
    {
        Budget.Current.Descend();
        List<Statement> body = ParseStatements(ends);
        Budget.Current.Ascend();
        return body;
    }

    private List<Statement> ParseStatements(string[] ends)
    {
        List<Statement> body = [];
        while (true)
        {
            Token token = stream.Current;
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataStatement(stream.Next()));
                    break;
                case TokenKind.VariableBegin:
                    stream.Next();
                    body.Add(new PrintStatement(token, expressions.ParseTuple()));
                    stream.Expect(TokenKind.VariableEnd);
                    break;
                case TokenKind.BlockBegin:
                    stream.Next();
                    if (stream.Current.Kind == TokenKind.Name && ends.Contains(stream.Current.Text))
                        return body;
                    ParseStatement(body);
                    stream.Expect(TokenKind.BlockEnd);
                    break;
                case TokenKind.End when ends.Length == 0:
                    return body;
                case TokenKind.End:
                    throw stream.Fail($"Unexpected end of template. Jinja was looking for the following tags: {string.Join(" or ", ends.Select(e => $"'{e}'"))}. The innermost block that needs to be closed is '{open.Peek().Tag}'.");
                default:
                    throw stream.Fail($"unexpected '{token.Describe()}'");
            }
        }
    }

    private void ParseStatement(List<Statement> body)
    {
        Token token = stream.Current;
        if (token.Kind != TokenKind.Name)
            throw stream.Fail("tag name expected");
        stream.Next();
        switch (token.Text)
        {
            case "for": body.Add(ParseFor(token)); break;
            case "if": body.Add(ParseIf(token)); break;
            case "set": body.Add(ParseSet(token)); break;
            case "macro": body.Add(ParseMacro(token)); break;
            case "call": body.Add(ParseCall(token)); break;
            case "filter":
                FilterExpression filter = (FilterExpression)expressions.ParseFilters(null, isInline: true)!;
                body.Add(new FilterBlockStatement(token, filter, Block(token, "endfilter")));
                break;
            case "with": body.Add(ParseWith(token)); break;
            case "generation":
                marksGeneration = true;
                body.Add(new GenerationStatement(token, Block(token, "endgeneration", isFunction: true)));
                break;
            case "autoescape":
                Expression isOn = expressions.Parse();
                body.Add(new AutoescapeStatement(token, isOn, Block(token, "endautoescape")));
                break;
            case "block": body.Add(ParseBlock(token)); break;
            case "print": ParsePrint(token, body); break;
            case "break" or "continue":
                if (loopDepth == 0)
                    throw stream.Fail(token.Text == "break" ? "'break' outside loop" : "'continue' not properly in loop", token, JinjaErrorKind.SyntaxError);
                body.Add(new JumpStatement(token, token.Text == "break" ? Flow.Break : Flow.Continue));
                break;
            case "include" or "import" or "from" or "extends":
                // Their grammar does not matter: running one fails.
                expressions.Parse();
                while (stream.Current.Kind is not (TokenKind.BlockEnd or TokenKind.End))
                    stream.Next();
                body.Add(new LoadStatement(token));
                break;
            default:
                throw UnknownTag(token);
        }
    }

    private JinjaException UnknownTag(Token token)
    {
        string message = $"Encountered unknown tag '{token.Text}'.";
        if (open.Count > 0)
            message += $" Jinja was looking for the following tags: {string.Join(" or ", open.Peek().Ends.Select(e => $"'{e}'"))}. The innermost block that needs to be closed is '{open.Peek().Tag}'.";
        else if (InnerTags.Contains(token.Text))
            message += " No block is open here.";
        return stream.Fail(message, token);
    }

    /// <summary>The body of a block up to its end tag, which is passed.</summary>
    /// <param name="isFunction">A body that runs as a function of its own: no jump out of it reaches a loop outside.</param>
    private List<Statement> Block(Token tag, string end, bool isFunction = false)
    {
        int depth = loopDepth;
        loopDepth = isFunction ? 0 : loopDepth;
        List<Statement> body = Body(tag, end);
        loopDepth = depth;
        stream.Next();
        return body;
    }

    /// <summary>Passes the end of the opening tag and reads up to one of the end names.</summary>
    private List<Statement> Body(Token tag, params string[] ends)
    {
        stream.SkipOperator(":");
        stream.Expect(TokenKind.BlockEnd);
        open.Push((tag.Text, ends));
        List<Statement> body = ParseBody(ends);
        open.Pop();
        return body;
    }

    private ForStatement ParseFor(Token token)
    {
        Target target = expressions.ParseTarget(endName: "in");
        if (target is NameTarget { Name: "loop" } || (target is TupleTarget tuple && tuple.Targets.Any(t => t is NameTarget { Name: "loop" })))
            throw stream.Fail("Can't assign to special loop variable in for-loop target", token, JinjaErrorKind.TemplateAssertionError);
        stream.ExpectName("in");
        Expression iterable = expressions.ParseTuple(withCondition: false, endName: "recursive");
        Expression? filter = stream.SkipName("if") ? expressions.Parse() : null;
        bool isRecursive = stream.SkipName("recursive");
        loopDepth++;
        List<Statement> body = Body(token, "endfor", "else");
        loopDepth--;
        List<Statement> otherwise = stream.Next().Text == "else" ? Block(token, "endfor") : [];
        return new ForStatement(token, target, iterable, filter, isRecursive, body, otherwise);
    }

    private IfStatement ParseIf(Token token)
    {
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        while (true)
        {
            Expression condition = expressions.ParseTuple(withCondition: false);
            branches.Add((condition, Body(token, "elif", "else", "endif")));
            Token end = stream.Next();
            if (end.Text == "elif")
                continue;
            return new IfStatement(token, branches, end.Text == "else" ? Block(token, "endif") : []);
        }
    }

    private Statement ParseSet(Token token)
    {
        Target target = expressions.ParseTarget(withNamespace: true);
        if (stream.SkipOperator("="))
            return new SetStatement(token, target, expressions.ParseTuple());
        FilterExpression? filter = (FilterExpression?)expressions.ParseFilters(null);
        return new SetBlockStatement(token, target, filter, Block(token, "endset"));
    }

    private MacroStatement ParseMacro(Token token)
    {
        string name = stream.ExpectName().Text;
        return new MacroStatement(token, ParseMacroBody(token, name, "endmacro"));
    }

    private CallBlockStatement ParseCall(Token token)
    {
        HashSet<string> outerNames = expressions.NamesRead;
        HashSet<string> names = expressions.NamesRead = [];
        List<(string, Expression?)> parameters = stream.Current.IsOperator("(") ? ParseParameters() : [];
        Token callToken = stream.Current;
        expressions.NamesRead = outerNames;
        if (expressions.Parse() is not CallExpression call)
            throw stream.Fail("expected call", callToken);
        expressions.NamesRead = names;
        MacroDefinition caller = Define(null, parameters, Block(token, "endcall", isFunction: true), outerNames);
        return new CallBlockStatement(token, call, caller);
    }

    private MacroDefinition ParseMacroBody(Token token, string name, string end)
    {
        HashSet<string> outerNames = expressions.NamesRead;
        expressions.NamesRead = [];
        List<(string, Expression?)> parameters = ParseParameters();
        return Define(name, parameters, Block(token, end, isFunction: true), outerNames);
    }

    private MacroDefinition Define(string? name, List<(string, Expression?)> parameters, List<Statement> body, HashSet<string> outerNames)
    {
        HashSet<string> names = expressions.NamesRead;
        expressions.NamesRead = outerNames;
        outerNames.UnionWith(names);
        return new MacroDefinition(name, parameters, body, names.Contains("caller"), names.Contains("kwargs"), names.Contains("varargs"));
    }

    private List<(string, Expression?)> ParseParameters()
    {
        stream.ExpectOperator("(");
        List<(string, Expression?)> parameters = [];
        while (!stream.Current.IsOperator(")"))
        {
            if (parameters.Count > 0)
                stream.ExpectOperator(",");
            Token name = stream.ExpectName();
            Expression? fallback = stream.SkipOperator("=") ? expressions.Parse() : null;
            if (fallback is null && parameters.Count > 0 && parameters[^1].Item2 is not null)
                throw stream.Fail("non-default argument follows default argument", name);
            parameters.Add((name.Text, fallback));
        }

        stream.Next();
        return parameters;
    }

    private WithStatement ParseWith(Token token)
    {
        List<(Target, Expression)> variables = [];
        while (stream.Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0)
                stream.ExpectOperator(",");
            Target target = expressions.ParseTarget(withTuple: false);
            stream.ExpectOperator("=");
            variables.Add((target, expressions.Parse()));
        }

        return new WithStatement(token, variables, Block(token, "endwith"));
    }

    private BlockStatement ParseBlock(Token token)
    {
        Token name = stream.ExpectName();
        bool isScoped = stream.SkipName("scoped");
        stream.SkipName("required");
        BlockStatement block = new(token, name.Text, isScoped, Block(token, "endblock", isFunction: true));
        stream.SkipName(name.Text);
        if (!blocks.TryAdd(name.Text, block))
            throw stream.Fail($"block '{name.Text}' defined twice", name, JinjaErrorKind.TemplateAssertionError);
        return block;
    }

    private void ParsePrint(Token token, List<Statement> body)
    {
        while (stream.Current.Kind != TokenKind.BlockEnd)
        {
            if (stream.Current.Kind == TokenKind.End)
                throw stream.Expected("end of statement block");
            if (body.Count > 0 && stream.SkipOperator(","))
                continue;
            body.Add(new PrintStatement(token, expressions.Parse()));
        }
    }

    internal sealed record ParsedTemplate(IReadOnlyList<Statement> Body, IReadOnlyDictionary<string, BlockStatement> Blocks, bool MarksGeneration);
}
