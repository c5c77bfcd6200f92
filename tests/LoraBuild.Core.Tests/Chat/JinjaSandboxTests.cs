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
