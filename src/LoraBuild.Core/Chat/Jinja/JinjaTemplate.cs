// A parsed Jinja template: parse once, render often, from any thread.
using System.Text.Json.Nodes;

namespace LoraBuild.Core.Chat.Jinja;

/// <summary>What a rendering gave.</summary>
/// <param name="Generation">Ranges [start, end) in code points of the output, one a finished <c>generation</c> block.</param>
public sealed record JinjaResult(string Text, IReadOnlyList<(int Start, int End)> Generation);

/// <summary>
/// Jinja2 as transformers' chat templates use it: an immutable sandbox without loader, lenient undefined, loop controls, the generation tag,
/// <c>tojson</c> without HTML escapes, <c>raise_exception</c> and <c>strftime_now</c>.
/// </summary>
public sealed class JinjaTemplate
{
    private readonly IReadOnlyList<Statement> body;
    private readonly IReadOnlyDictionary<string, BlockStatement> blocks;
    private readonly JinjaOptions options;

    private JinjaTemplate(IReadOnlyList<Statement> body, IReadOnlyDictionary<string, BlockStatement> blocks, JinjaOptions options, bool marksGeneration)
    {
        this.body = body;
        this.blocks = blocks;
        this.options = options;
        MarksGeneration = marksGeneration;
    }

    /// <summary>Whether the template has a <c>generation</c> tag anywhere.</summary>
    public bool MarksGeneration { get; }

    /// <exception cref="JinjaException">A syntax error or a template too long or nested too deep, with line and column.</exception>
    public static JinjaTemplate Parse(string source, JinjaOptions? options = null)
    {
        options ??= new JinjaOptions();
        if (source.Length > options.MaxSourceLength)
            throw new JinjaException(JinjaErrorKind.LimitError, $"the template has {source.Length} characters; at most {options.MaxSourceLength} are allowed").At(1, 1);
        Budget? before = Budget.Swap(new Budget(options with { MaxSteps = long.MaxValue }));
        try
        {
            Parser.ParsedTemplate parsed = Parser.Parse(source, options);
            return new JinjaTemplate(parsed.Body, parsed.Blocks, options, parsed.MarksGeneration);
        }
        finally
        {
            Budget.Swap(before);
        }
    }

    /// <param name="context">The template's variables; a JSON number with a point or an exponent is a float.</param>
    /// <param name="now">The clock behind <c>strftime_now</c>; null takes the options'.</param>
    /// <exception cref="JinjaException">With the place of the expression that failed.</exception>
    public JinjaResult Render(JsonObject context, DateTime? now = null)
    {
        Scope globals = new(null);
        Globals.AddTo(globals);
        Runtime runtime = new(now is null ? options : options with { Now = now }, new Scope(globals));
        Budget? before = Budget.Swap(runtime.Budget);
        try
        {
            foreach ((string name, JsonNode? value) in context)
                globals.Set(name, PyJson.FromNode(value));
            globals.Set("self", new SelfObject(runtime, blocks));
            runtime.Begin();
            runtime.Run(body);
            return new JinjaResult(runtime.Root.ToString(), runtime.Spans);
        }
        catch (JinjaException e) when (runtime.Position is { } position)
        {
            throw e.At(position.Line, position.Column);
        }
        finally
        {
            Budget.Swap(before);
        }
    }

    /// <summary><c>self.name()</c> prints a block once more.</summary>
    private sealed class SelfObject(Runtime runtime, IReadOnlyDictionary<string, BlockStatement> blocks) : IPyObject
    {
        public string TypeName => "TemplateReference";

        public bool TryGetMember(string name, out object? value)
        {
            bool isThere = blocks.TryGetValue(name, out BlockStatement? block);
            value = isThere ? new PyFunction(name, (_, _) =>
            {
                runtime.Budget.EnterCall();
                string text = block!.Render(runtime);
                runtime.Budget.LeaveCall();
                return runtime.Captured(text);
            }) : null;
            return isThere;
        }
    }
}
