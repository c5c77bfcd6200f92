// Operands: literals, names, lists and dictionaries, and what stands behind them — members, indices, slices, calls.
using System.Globalization;
using System.Numerics;

namespace LoraBuild.Core.Chat.Jinja;

internal sealed partial class ExpressionParser
{
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
