// YAML text → RecipeNode tree, with bounds on size, depth and aliases, and every duplicate key reported.
using System.Diagnostics;
using LoraBuild.Core.Diagnostics;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace LoraBuild.Core.Recipes;

/// <summary>Parses one YAML document. Syntax errors end the document with one diagnostic; duplicate keys are all reported and the later value is dropped.</summary>
internal sealed class RecipeYaml
{
    public const int MaxCharacters = 1 << 20;
    private const int MaxDepth = 32;
    private const int MaxValues = 20_000;

    private readonly RecipeOrigin origin;
    private readonly bool hasPlaces;
    private readonly IDiagnosticSink sink;
    private readonly Parser parser;
    private readonly Dictionary<string, RecipeNode> anchors = new(StringComparer.Ordinal);

    private RecipeYaml(string text, RecipeOrigin origin, bool hasPlaces, IDiagnosticSink sink)
    {
        this.origin = origin;
        this.hasPlaces = hasPlaces;
        this.sink = sink;
        parser = new Parser(new StringReader(text));
    }

    /// <summary>The document's root value (an empty document is a null scalar), or null when an error was reported.</summary>
    /// <param name="hasPlaces">False for an override, whose lines and columns would mean nothing.</param>
    public static RecipeNode? Parse(string text, RecipeOrigin origin, bool hasPlaces, IDiagnosticSink sink)
    {
        if (text.Length > MaxCharacters)
        {
            Report("LB0003", FormattableString.Invariant($"the file has {text.Length} characters; a recipe may have at most {MaxCharacters}."), 0, 0);
            return null;
        }

        RecipeYaml yaml = new(text, origin, hasPlaces, sink);
        try
        {
            return yaml.Document();
        }
        catch (RecipeYamlException e)
        {
            Report(e.Code, e.Message, e.Line, e.Column);
        }
        catch (YamlException e)
        {
            if (FindTab(text, e) is { } tab)
                Report("LB0002", FormattableString.Invariant($"line {tab.Line} is indented with a tab; YAML allows only spaces there."), tab.Line, tab.Column);
            else
                Report("LB0002", $"not valid YAML: {e.Message.TrimEnd('.')}.", (int)e.Start.Line, (int)e.Start.Column);
        }
        catch (Exception e) when (e.Source == typeof(Parser).Assembly.GetName().Name)
        {
            // YamlDotNet's scanner gives up on some malformed plain scalars with an exception that has no place of its own.
            Mark last = yaml.parser.Current?.End ?? Mark.Empty;
            Report("LB0002", "not valid YAML: something after this place cannot be read.", (int)last.Line, (int)last.Column);
        }

        return null;

        void Report(string code, string message, int line, int column) =>
            sink.Report(Diagnostic.Error(code, message, origin.File, hasPlaces ? line : 0, hasPlaces ? column : 0));
    }

    private RecipeNode Document()
    {
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out _))
            return new ScalarNode(origin, hasPlaces ? 1 : 0, hasPlaces ? 1 : 0, "", IsPlain: true);
        parser.Consume<DocumentStart>();
        RecipeNode root = Value(1);
        parser.Consume<DocumentEnd>();
        if (parser.Accept<DocumentStart>(out DocumentStart? second))
            throw At("LB0002", "a second YAML document (---) begins here; a recipe is one document.", second);
        return root;
    }

    private RecipeNode Value(int depth)
    {
        ParsingEvent at = parser.Current!;
        if (depth > MaxDepth)
            throw At("LB0003", $"values are nested more than {MaxDepth} deep.", at);
        if (at is NodeEvent { Tag: { IsEmpty: false, IsNonSpecific: false } } tagged)
            throw At("LB0002", $"the YAML tag {tagged.Tag} has no meaning in a recipe; remove it.", at);

        RecipeNode node;
        switch (at)
        {
            case AnchorAlias alias:
                parser.MoveNext();
                return anchors.TryGetValue(alias.Value.Value, out RecipeNode? target)
                    ? target
                    : throw At("LB0002", $"the alias *{alias.Value} has no anchor &{alias.Value} before it.", at);
            case Scalar scalar:
                parser.MoveNext();
                node = new ScalarNode(origin, Line(at), Column(at), scalar.Value, scalar.Style is ScalarStyle.Plain);
                break;
            case SequenceStart:
                node = Sequence(at, depth);
                break;
            case MappingStart:
                node = Mapping(at, depth);
                break;
            default:
                throw new UnreachableException($"YAML event {at.GetType().Name} where a value begins.");
        }

        // Only a finished value can be an alias's target, so a value never holds itself.
        if (at is NodeEvent { Anchor.IsEmpty: false } anchored)
            anchors[anchored.Anchor.Value] = node;
        return node;
    }

    private ListNode Sequence(ParsingEvent start, int depth)
    {
        parser.MoveNext();
        List<RecipeNode> items = [];
        int weight = 1;
        while (!parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(Value(depth + 1));
            weight = Grow(weight, items[^1], start);
        }

        return new ListNode(origin, Line(start), Column(start), weight, items);
    }

    private MapNode Mapping(ParsingEvent start, int depth)
    {
        parser.MoveNext();
        List<MapEntry> entries = [];
        Dictionary<string, RecipePlace> seen = new(StringComparer.Ordinal);
        int weight = 1;
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            ParsingEvent keyEvent = parser.Current!;
            if (Value(depth + 1) is not ScalarNode key)
                throw At("LB0002", "a key must be a plain word, not a list or a map.", keyEvent);
            RecipeNode value = Value(depth + 1);
            weight = Grow(weight, value, start);
            RecipePlace place = new(origin.File, Line(keyEvent), Column(keyEvent));
            if (seen.TryGetValue(key.Text, out RecipePlace? first))
            {
                string where = hasPlaces ? FormattableString.Invariant($" (first in line {first.Line})") : "";
                sink.Report(Diagnostic.Error("LB0004", $"the key {RecipeText.Quote(key.Text)} is given twice{where}; remove one of them.", origin.File, place.Line, place.Column));
                continue;
            }

            seen.Add(key.Text, place);
            entries.Add(new MapEntry(key.Text, place, value));
        }

        return new MapNode(origin, Line(start), Column(start), weight, entries);
    }

    private static int Grow(int weight, RecipeNode child, ParsingEvent start) =>
        weight + child.Weight <= MaxValues
            ? weight + child.Weight
            : throw At("LB0003", $"the recipe has more than {MaxValues} values (aliases count each time they are used).", start);

    private int Line(ParsingEvent at) => hasPlaces ? (int)at.Start.Line : 0;

    private int Column(ParsingEvent at) => hasPlaces ? (int)at.Start.Column : 0;

    private static RecipeYamlException At(string code, string message, ParsingEvent at) =>
        new(code, message, (int)at.Start.Line, (int)at.Start.Column);

    /// <summary>The first tab in an indentation at or after the error: the usual reason, which YAML's own message puts far from its place.</summary>
    private static (int Line, int Column)? FindTab(string text, YamlException error)
    {
        string[] lines = text.Split('\n');
        long last = error.Message.Contains("tab", StringComparison.Ordinal) ? lines.Length : Math.Min(lines.Length, error.End.Line);
        for (int i = (int)Math.Max(0, error.Start.Line - 1); i < last; i++)
        {
            int tab = lines[i].IndexOf('\t', StringComparison.Ordinal);
            if (tab >= 0 && string.IsNullOrWhiteSpace(lines[i][..tab]))
                return (i + 1, tab + 1);
        }

        return null;
    }

    private sealed class RecipeYamlException(string code, string message, int line, int column) : Exception(message)
    {
        public string Code => code;
        public int Line => line;
        public int Column => column;
    }
}
