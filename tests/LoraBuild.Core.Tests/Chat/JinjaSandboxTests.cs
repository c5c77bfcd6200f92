// Hostile and broken templates end soon, with an error at its place.
using System.Diagnostics;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat;
using LoraBuild.Core.Chat.Jinja;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Tests.Chat;

public sealed class JinjaSandboxTests
{
    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x='ab') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=['ab']) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}")]
    [InlineData("{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{{ 'a' * 10000000000 }}")]
    [InlineData("{{ [1] * 1000000000 }}")]
    [InlineData("{{ 10 ** 10000000000 }}")]
    [InlineData("{{ '%999999999d' % 1 }}")]
    [InlineData("{{ '{:999999999}'.format(1) }}")]
    [InlineData("{{ 'a'.center(999999999) }}")]
    [InlineData("{{ 'a' | indent(999999999) }}")]
    [InlineData("{{ '%.999999999f' % 1.5 }}")]
    [InlineData("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")]
    [InlineData("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}")]
    [InlineData("{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}")]
    public void A_template_without_bounds_is_stopped(string template)
    {
        Stopwatch watch = Stopwatch.StartNew();
        JinjaException error = Assert.Throws<JinjaException>(() => JinjaTemplate.Parse(template).Render([]));
        Assert.Equal(JinjaErrorKind.LimitError, error.Kind);
        Assert.True(error.Line > 0);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}"); // about 0.5 s alone; the machine may be busy
    }

    [Theory]
    [InlineData('(', ')')]
    [InlineData('[', ']')]
    public void Deep_nesting_of_the_source_is_refused_and_does_not_end_the_process(char open, char close)
    {
        string template = "{{ " + new string(open, 200_000) + "1" + new string(close, 200_000) + " }}";
        Assert.Equal(JinjaErrorKind.LimitError, Assert.Throws<JinjaException>(() => JinjaTemplate.Parse(template).Render([])).Kind);
    }

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
