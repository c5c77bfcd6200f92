// No attribute leads out of the sandbox, and a broken template's error has its place.
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tests.Chat;

public sealed class JinjaSandboxTests
{
    [Theory]
    [InlineData("{{ ''.__class__.__mro__[1].__subclasses__() }}")]
    [InlineData("{{ messages.append(1) }}")]
    [InlineData("{{ raise_exception.__globals__['os'] }}")]
    [InlineData("{{ '{0.__class__.__mro__}'.format(1) }}")]
    [InlineData("{{ [1] | map(attribute='__class__') | list | map(attribute='__mro__') | list }}")]
    public void No_attribute_leads_out(string template) =>
        Assert.Equal(JinjaErrorKind.SecurityError, Assert.Throws<JinjaException>(() => JinjaTemplate.Parse(template).Render(new JsonObject { ["messages"] = new JsonArray() })).Kind);

    [Theory]
    [InlineData("a\n{% if x %}\n{{ 1 + }}", 3, 8)]
    [InlineData("{% for %}", 1, 8)]
    [InlineData("x\r\n{% nosuch %}", 2, 4)]
    [InlineData("{{ x | nosuch }}", 1, 8)]
    [InlineData("{% if a %}", 1, 11)]
    [InlineData("{# never closed", 1, 1)]
    public void A_syntax_error_has_its_line_and_column(string template, int line, int column)
    {
        Diagnostic error = Assert.Throws<DiagnosticException>(() => ChatTemplate.Parse(template, "/t/chat_template.jinja")).Diagnostics[0];
        Assert.Equal(("LB0301", "/t/chat_template.jinja", line, column), (error.Code, error.File!, error.Line, error.Column));
    }

    /// <summary>Lines as Jinja2 3.1.6 gives them.</summary>
    [Theory]
    [InlineData("a\n{% if x %}\n{{ 1 + }}", 3)]
    [InlineData("x\n\n{% for %}", 3)]
    [InlineData("x\n{% nosuch %}\n", 2)]
    [InlineData("\n\n{{ x | nosuch }}", 3)]
    [InlineData("{% if a %}\nb\n", 2)]
    [InlineData("a\n{# never closed\n\n", 2)]
    [InlineData("a\n{% raw %}\nb", 2)]
    [InlineData("\n{{ 'a\nb' }}{{ ) }}", 3)]
    [InlineData("{{\n\n(1,\n2 }}", 4)]
    [InlineData("{% set x\n= %}", 2)]
    [InlineData("\n{% for a in b %}\n{% endif %}", 3)]
    [InlineData("{% macro f(a=1, b) %}{% endmacro %}", 1)]
    [InlineData("\n{{ a b }}", 2)]
    [InlineData("\n{{ a is nosuch }}", 2)]
    [InlineData("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", 2)]
    [InlineData("\n\n{{ 1 if }}", 3)]
    [InlineData("{{ a.\n\n }}", 3)]
    [InlineData("\n{% set 1 = 2 %}", 2)]
    [InlineData("\n{% set none = 2 %}", 2)]
    [InlineData("{% else %}", 1)]
    [InlineData("x\n{{ f(a=1, 2) }}", 2)]
    [InlineData("\n{{ $ }}", 2)]
    [InlineData("{{ 'abc }}\n", 1)]
    [InlineData("\n{% call 1 %}{% endcall %}", 2)]
    [InlineData("\n{% if %}", 2)]
    [InlineData("{% for loop in x %}{% endfor %}", 1)]
    [InlineData("{% for x in y %}\n{% else %}\n{% else %}", 3)]
    [InlineData("{% with a %}", 1)]
    [InlineData("{{ a[ }}\n", 1)]
    [InlineData("\r\n\r\n{{ ! }}", 3)]
    [InlineData("{%- if x -%}\n\n{%- endfor -%}", 3)]
    [InlineData("{{ x\n", 1)]
    [InlineData("{% if x", 1)]
    public void A_syntax_errors_line_is_Jinja2s(string template, int line) =>
        Assert.Equal(line, Assert.Throws<JinjaException>(() => JinjaTemplate.Parse(template)).Line);

    [Fact]
    public void Nesting_too_deep_has_the_place_where_it_becomes_too_deep()
    {
        JinjaException error = Assert.Throws<JinjaException>(() => JinjaTemplate.Parse("\n{{ " + new string('(', 2000) + "1" + new string(')', 2000) + " }}"));
        Assert.Equal((JinjaErrorKind.LimitError, 2), (error.Kind, error.Line));
    }

    [Fact]
    public void A_failing_expression_has_its_line_and_column()
    {
        JinjaException error = Assert.Throws<JinjaException>(() => JinjaTemplate.Parse("ok\n  {{ message.role.x }}").Render(new JsonObject { ["message"] = new JsonObject() }));
        Assert.Equal((JinjaErrorKind.UndefinedError, 2, 19), (error.Kind, error.Line, error.Column));
    }

    [Fact]
    public void The_date_is_only_known_when_it_is_given()
    {
        JinjaTemplate template = JinjaTemplate.Parse("{{ strftime_now('%Y') }}");
        Assert.Equal(JinjaErrorKind.TemplateRuntimeError, Assert.Throws<JinjaException>(() => template.Render([])).Kind);
        Assert.Equal("2025", template.Render([], JinjaConformanceTests.Now).Text);
    }
}
