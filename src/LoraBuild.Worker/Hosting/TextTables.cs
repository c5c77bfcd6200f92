// Tables for people: as wide as they need to be where the output is a file, fitted where it is a terminal.
using Spectre.Console;

namespace LoraBuild.Worker.Hosting;

internal static class TextTables
{
    private const int WidthOfFiles = 240;

    public static IAnsiConsole On(TextWriter output, WorkerHost host)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Ansi = host.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        if (!host.IsTerminal)
            console.Profile.Width = WidthOfFiles;
        return console;
    }

    /// <summary>A table as lines of text, numbers to the right; the first column names the row.</summary>
    public static string Text(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        Table table = Create([.. columns]);
        foreach (TableColumn column in table.Columns.Skip(1))
            column.RightAligned();
        foreach (IReadOnlyList<string> row in rows)
            table.AddRow([.. row.Select(cell => new Text(cell))]);
        using StringWriter text = new() { NewLine = "\n" };
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Interactive = InteractionSupport.No });
        console.Profile.Width = WidthOfFiles;
        console.Write(table);
        return string.Join('\n', text.ToString().Split('\n').Select(line => line.TrimEnd()).Where(line => line.Length > 0));
    }

    public static Table Create(params string[] columns)
    {
        Table table = new() { Border = TableBorder.Simple };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(new Text(column)).NoWrap());
        return table;
    }
}
