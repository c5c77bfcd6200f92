// Hostile templates end with LB0304 before they have used much: bounds are on steps and allocated bytes, which do not depend on the machine's load.
using System.Diagnostics;
using System.Text.Json.Nodes;
using LoraBuild.Core.Chat.Jinja;

namespace LoraBuild.Core.Tests.Chat;

public sealed class HostileTemplateTests
{
    private const long MaxAllocatedBytes = 1_500_000_000;

    private const string Doubling = "{% set ns = namespace(x=SEED, y=SEED) %}{% for i in range(100) %}{% set ns.x = STEP %}{% endfor %}";
    private const string Shared = "{% set ns = namespace(x=SEED, y=SEED) %}{% for i in range(60) %}{% set ns.x = SHAPE(ns.x) %}{% set ns.y = SHAPE(ns.y) %}{% endfor %}";

    /// <summary>Each ends with LimitError.</summary>
    private static readonly string[] Templates =
    [
        // loops
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{% for b in range(100000) | map('string') | select | batch(3) %}{% endfor %}{% endfor %}",
        "{% set c = cycler(1, 2) %}{% for i in range(100000) %}{% for j in range(1000) %}{{ c.next() }}{% endfor %}{% endfor %}",
        // texts and lists that grow by doubling
        Doubling.Replace("SEED", "'ab'", StringComparison.Ordinal).Replace("STEP", "ns.x ~ ns.x", StringComparison.Ordinal),
        Doubling.Replace("SEED", "'ab'", StringComparison.Ordinal).Replace("STEP", "ns.x + ns.x", StringComparison.Ordinal),
        Doubling.Replace("SEED", "'ab'", StringComparison.Ordinal).Replace("STEP", "ns.x.replace('a', 'ab').replace('b', 'ab')", StringComparison.Ordinal),
        Doubling.Replace("SEED", "'&'", StringComparison.Ordinal).Replace("STEP", "ns.x | forceescape ~ ns.x", StringComparison.Ordinal),
        Doubling.Replace("SEED", "[1]", StringComparison.Ordinal).Replace("STEP", "ns.x + ns.x", StringComparison.Ordinal),
        Doubling.Replace("SEED", "(1,)", StringComparison.Ordinal).Replace("STEP", "ns.x + ns.x", StringComparison.Ordinal),
        "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = ns.x + ['a' * 1000000 ~ i] %}{% endfor %}",
        "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = ns.x + [range(100000) | list] %}{% endfor %}",
        // few nodes, exponential print
        .. from shape in (string[])["[X, X]", "(X, X)", "{'a': X, 'b': X}"]
           from use in (string[])["{{ ns.x }}", "{{ ns.x | pprint }}", "{{ ns.x == ns.y }}"]
           select Shared.Replace("SEED", "(1,)", StringComparison.Ordinal).Replace("SHAPE(ns.x)", shape.Replace("X", "ns.x", StringComparison.Ordinal), StringComparison.Ordinal).Replace("SHAPE(ns.y)", shape.Replace("X", "ns.y", StringComparison.Ordinal), StringComparison.Ordinal) + use,
        .. from use in (string[])["{{ ns.x | tojson(indent=100) }}", "{{ ns.x < ns.y }}", "{{ {ns.x: 1} }}", "{{ {1: 1}[ns.x] }}", "{{ [ns.x] | unique | list }}", "{{ ns.x in [ns.y] }}"]
           select Shared.Replace("SEED", "(1,)", StringComparison.Ordinal).Replace("SHAPE(ns.x)", "(ns.x, ns.x)", StringComparison.Ordinal).Replace("SHAPE(ns.y)", "(ns.y, ns.y)", StringComparison.Ordinal) + use,
        "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}",
        // deep values
        .. from shape in (string[])["[ns.x]", "(ns.x,)", "{'a': ns.x}"]
           from use in (string[])["{{ ns.x }}", "{{ ns.x == ns.y }}"]
           select $"{{% set ns = namespace(x=1, y=1) %}}{{% for i in range(20000) %}}{{% set ns.x = {shape} %}}{{% set ns.y = {shape.Replace("ns.x", "ns.y", StringComparison.Ordinal)} %}}{{% endfor %}}{use}",
        .. from filter in (string[])["map('string')", "select", "batch(2)", "unique"]
           select $"{{% set ns = namespace(x=[1]) %}}{{% for i in range(20000) %}}{{% set ns.x = ns.x | {filter} %}}{{% endfor %}}{{{{ ns.x | list }}}}",
        // one call that makes much of little
        "{{ 'a' * 10000000000 }}", "{{ [1] * 1000000000 }}", "{{ (1,) * 10 ** 30 }}", "{{ '%999999999d' % 1 }}", "{{ '%*s' % (999999999, 'a') }}", "{{ '%.999999999f' % 1.5 }}", "{{ '%.999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}", "{{ '{:>{}}'.format('a', 999999999) }}", "{{ '{:.999999999f}'.format(1.0) }}", "{{ '{:0999999999,}'.format(1) }}", "{{ ('{0:1000000}' * 100).format('a') }}",
        "{{ 'a'.center(999999999) }}", "{{ 'a' | center(999999999) }}", "{{ 'a'.ljust(10 ** 9) }}", "{{ 'a'.rjust(10 ** 9, '€') }}", "{{ 'a'.zfill(10 ** 9) }}", "{{ ('\t' * 10000).expandtabs(1000000) }}",
        "{{ 'a' | indent(999999999) }}", "{{ ('a\n' * 10000) | indent('b' * 10000) }}", "{{ ('a' * 10000).replace('a', 'b' * 10000) }}", "{{ ('a' * 10000).replace('', 'b' * 10000) }}", "{{ ('a' * 10000).translate({97: 'b' * 10000}) }}",
        "{{ (['a'] * 10000) | join('b' * 10000) }}", "{{ ('b' * 10000).join(['a'] * 10000) }}", "{{ ('a ' * 10000) | wordwrap(1, wrapstring='b' * 10000) }}", "{{ ([1] * 10000) | tojson(separators=('a' * 10000, ':')) }}", "{{ ([1] * 10000) | tojson(indent='a' * 10000) }}",
        "{{ [1] | batch(10 ** 9, 0) | list }}", "{{ [1] | slice(10 ** 9) | list }}", "{{ ('http://a.bb ' * 10000) | urlize(target='x' * 10000) }}", "{{ ('\\x01' * 16000000) | string | list | string }}", "{{ strftime_now('%A' * 8000000) }}",
        // long integers
        "{{ 10 ** 10000000000 }}", "{{ 10 ** (10 ** 10) }}", "{% set x = 3 ** 12000 %}{{ x * x }}", .. from op in (string[])["*", "//", "%", "/"] select $"{{% set x = 3 ** 6000 %}}{{% for i in range(100000) %}}{{% set y = x {op} (x + 1) %}}{{% endfor %}}",
        "{% set x = 3 ** 6000 %}{% for i in range(100000) %}{% set y = x ~ '' %}{% endfor %}", "{% set x = '7' * 4000 %}{% for i in range(100000) %}{% set y = x | int %}{% endfor %}", "{% for i in range(100000) %}{% set y = '%.2000e' % 1e-300 %}{% endfor %}",
        // work over one long text, again and again
        .. from use in (string[])["s.upper()", "s | title", "s.split()", "s.rsplit('a')", "s.splitlines()", "s | length", "s == t", "s < t", "{s: 1}", "t in s", "s.startswith(t)", "s.isalpha()", "s is lower", "s[1:]", "s | trim", "s.find(s[100000:] ~ 'b')", "s | wordcount", "s | urlencode", "s | e", "s | int", "s | float", "[s] | string", "s | tojson", "s.encode()", "[s, t] | sort", "s | list", "s | reverse"]
           select $"{{% set s = ' a' * 100000 %}}{{% set t = ' a' * 100000 %}}{{% for i in range(100000) %}}{{% set y = {use} %}}{{% endfor %}}",
        // recursion
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(190) }}", "{% macro f(n=f()) %}{% endmacro %}{{ f() }}",
        "{% macro f() %}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}", "{% for x in [[1]] recursive %}{{ loop([[1]]) }}{% endfor %}", "{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}", "{% block a %}{{ self.a() }}{% endblock %}",
        // output
        "{% for i in range(100000) %}{{ 'a' * 1000000 }}{% endfor %}", "{% set x %}{% for i in range(100000) %}{{ 'a' * 10000 }}{% endfor %}{% endset %}",
    ];

    [Fact]
    public void A_template_without_bounds_is_stopped_before_it_has_used_much()
    {
        Stopwatch watch = Stopwatch.StartNew();
        List<string> failures = [.. Templates.Select(Failure).OfType<string>()];
        Assert.True(failures.Count == 0, string.Join("\n", failures));
        // Each takes up to half a second alone; the machine may be busy.
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2 * Templates.Length), $"took {watch.Elapsed}");
    }

    /// <summary>Nesting that a parser follows by recursion ends in a diagnostic on a thread with a small stack too.</summary>
    [Fact]
    public void Deep_nesting_of_the_source_is_refused_and_does_not_end_the_process()
    {
        (string Open, string Close)[] kinds =
        [
            ("(", ")"), ("[", "]"), ("{1:", "}"), ("not ", ""), ("-", ""), ("+", ""), ("f(", ")"), ("a[", "]"), ("1 if 1 else ", ""), ("x|default(", ")"), ("f(a=", ")"), ("f(*", ")"), ("(1, ", ")"), ("1 is in [", "]"),
        ];
        List<string> templates = [.. kinds.Select(k => $"{{{{ {string.Concat(Enumerable.Repeat(k.Open, 50_000))}1{string.Concat(Enumerable.Repeat(k.Close, 50_000))} }}}}")];
        foreach (string tag in (string[])["if 1", "for i in [1]", "with", "set x", "filter upper", "macro f()", "generation", "call x()", "autoescape true"])
            templates.Add(string.Concat(Enumerable.Repeat($"{{% {tag} %}}", 20_000)));
        templates.Add($"{{% set {new string('(', 50_000)}a{new string(')', 50_000)} = 1 %}}");
        templates.Add($"{{{{ 1{string.Concat(Enumerable.Repeat(" + 1", 100_000))} }}}}"); // no nesting in the source, but in the tree
        templates.Add($"{{{{ 1{string.Concat(Enumerable.Repeat("|int", 100_000))} }}}}");
        List<string> failures = [];
        Thread thread = new(() => failures.AddRange(templates.Select(Failure).OfType<string>()), maxStackSize: 1 << 20);
        thread.Start();
        thread.Join();
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    [Fact]
    public void A_template_of_megabytes_is_refused_and_an_error_carries_no_megabytes()
    {
        Assert.Equal(JinjaErrorKind.LimitError, Assert.Throws<JinjaException>(() => JinjaTemplate.Parse(new string(' ', (1 << 20) + 1))).Kind);
        Assert.True(Assert.Throws<JinjaException>(() => JinjaTemplate.Parse("{{ raise_exception('a' * 10000000) }}").Render([])).Message.Length < 30_000);
        Assert.Equal(15_000, Assert.Throws<JinjaException>(() => JinjaTemplate.Parse("{{ raise_exception('a' * 15000) }}").Render([])).Message.Length);
    }

    [Fact]
    public void What_is_not_a_template_of_ours_is_read_in_time_that_grows_with_its_length()
    {
        foreach (string piece in (string[])["{% raw", "{#", "{% raw %}{% endraw ", "{ ", "{%  ", "{{ '", "{{ 1_", "{{ 1.", "{{ 1e", "{{ a.", "\r\n", " {%- if x -%} "])
            Assert.Null(Record.Exception(() => TryParse(string.Concat(Enumerable.Repeat(piece, 100_000 / piece.Length)))));
    }

    private static void TryParse(string source)
    {
        try
        {
            JinjaTemplate.Parse(source);
        }
        catch (JinjaException)
        {
            // any error will do; a hang or a crash would not
        }
    }

    private static string? Failure(string template)
    {
        string name = template.Length > 160 ? template[..160] + "…" : template;
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            string text = JinjaTemplate.Parse(template).Render(new JsonObject(), JinjaConformanceTests.Now).Text;
            return $"{name}: gave {text.Length} characters";
        }
        catch (JinjaException e)
        {
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            return e.Kind != JinjaErrorKind.LimitError ? $"{name}: {e.Kind} {e.Message}" : e.Line == 0 ? $"{name}: no place" : allocated > MaxAllocatedBytes ? $"{name}: {allocated} bytes" : null;
        }
    }
}
