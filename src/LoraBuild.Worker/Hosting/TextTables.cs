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

    public static Table Create(params string[] columns)
    {
        Table table = new() { Border = TableBorder.Simple };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(new Text(column)).NoWrap());
        return table;
    }
}
