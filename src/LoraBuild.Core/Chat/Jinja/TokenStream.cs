// The tokens under the parsers' hands, with the checks and messages that both need.
namespace LoraBuild.Core.Chat.Jinja;

internal sealed class TokenStream(List<Token> tokens)
{
    private int at;

    public Token Current => tokens[at];

    public Token Ahead => tokens[Math.Min(at + 1, tokens.Count - 1)];

    public Token Next()
    {
        Token token = tokens[at];
        if (at < tokens.Count - 1)
            at++;
        return token;
    }

    public bool SkipName(string name)
    {
        bool isThere = Current.IsName(name);
        if (isThere)
            Next();
        return isThere;
    }

    public bool SkipOperator(string op)
    {
        bool isThere = Current.IsOperator(op);
        if (isThere)
            Next();
        return isThere;
    }

    public Token ExpectName() => Current.Kind == TokenKind.Name ? Next() : throw Expected("name");

    public void ExpectName(string name)
    {
        if (!SkipName(name))
            throw Expected(name);
    }

    public void ExpectOperator(string op)
    {
        if (!SkipOperator(op))
            throw Expected(op);
    }

    public void Expect(TokenKind kind)
    {
        if (Current.Kind != kind)
            throw Expected(new Token(kind, "", 0, 0).Describe());
        Next();
    }

    public JinjaException Expected(string what) => Current.Kind == TokenKind.End
        ? Fail($"unexpected end of template, expected '{what}'.")
        : Fail($"expected token '{what}', got '{Current.Describe()}'");

    public JinjaException Fail(string message, Token? at = null, JinjaErrorKind kind = JinjaErrorKind.TemplateSyntaxError)
    {
        Token token = at ?? Current;
        return new JinjaException(kind, message).At(token.Line, token.Column);
    }
}
