// Options that several verbs have, so that they read and behave alike everywhere.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Worker;

public static class SharedOptions
{
    public static Option<bool> Events { get; } = new("--events") { Description = "Progress and diagnostics as JSON lines on standard output; the end of standard input cancels.", Recursive = true };

    public static Option<int?> Threads { get; } = Checked(
        new Option<int?>("--threads") { Description = "Threads of the arithmetic, or lines worked on at once. Default: all cores.", HelpName = "N", Recursive = true },
        text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n >= 1 ? null : $"--threads must be a whole number ≥ 1, got '{text}'.");

    public static Option<string> Device { get; } = Checked(
        new Option<string>("--device") { Description = "cpu | cuda | cuda:N | auto", HelpName = "DEVICE", Recursive = true, DefaultValueFactory = _ => "auto" },
        text => text is "cpu" or "cuda" or "auto" || (text.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(text[5..], NumberStyles.None, CultureInfo.InvariantCulture, out _))
            ? null
            : $"--device must be cpu, cuda, cuda:N or auto, got '{text}'.");

    public static Option<string> Dtype { get; } = Checked(
        new Option<string>("--dtype") { Description = "float32 | bfloat16 | float16 | auto", HelpName = "DTYPE", Recursive = true, DefaultValueFactory = _ => "auto" },
        text => text is "float32" or "bfloat16" or "float16" or "auto" ? null : $"--dtype must be float32, bfloat16, float16 or auto, got '{text}'.");

    public static Option<bool> WarningsAsErrors { get; } = new("--warnings-as-errors") { Description = "Every warning is an error.", Recursive = true };

    public static Option<string[]> WarnAsError { get; } = new("--warn-as-error") { Description = "These warnings are errors: LB0317,LB0318. Repeatable.", HelpName = "CODES", Recursive = true, AllowMultipleArgumentsPerToken = false };

    public static Option<string[]> WarnNotAsError { get; } = new("--warn-not-as-error") { Description = "These stay warnings when all are errors. Repeatable.", HelpName = "CODES", Recursive = true, AllowMultipleArgumentsPerToken = false };

    public static Option<string[]> NoWarn { get; } = new("--no-warn") { Description = "These warnings are not told. Repeatable.", HelpName = "CODES", Recursive = true, AllowMultipleArgumentsPerToken = false };

    public static IReadOnlyList<Option> OfAllVerbs { get; } = [Events, Threads, Device, Dtype, WarningsAsErrors, WarnAsError, WarnNotAsError, NoWarn];

    public static Option<string> Recipe { get; } = new("--recipe") { Description = "The recipe file.", HelpName = "FILE" };

    public static Option<string> Output { get; } = new("--output") { Description = "The pipeline's directory.", HelpName = "DIR" };

    public static Option<string[]> Set { get; } = new("--set") { Description = "Overrides a key of the recipe; repeatable.", HelpName = "key=value", AllowMultipleArgumentsPerToken = false };

    public static Option<bool> Force { get; } = new("--force") { Description = "Run although nothing changed." };

    /// <summary>The options of every verb that works on a recipe.</summary>
    public static IReadOnlyList<Option> OfRecipes { get; } = [Recipe, Output, Set];

    public static Option<string> Model { get; } = new("--model") { Description = "A model in Hugging Face's form: a directory, or a hub id that is in the cache.", HelpName = "DIR" };

    public static Option<string> Adapter { get; } = new("--adapter") { Description = "An adapter in PEFT's form.", HelpName = "DIR" };

    public static Option<string> Tokenizer { get; } = new("--tokenizer") { Description = "The directory that holds tokenizer.json.", HelpName = "DIR" };

    public static Option<string> Input { get; } = new("--input") { Description = "The file that is read; - or nothing: standard input.", HelpName = "FILE" };

    public static Option<bool> Json { get; } = new("--json") { Description = "As JSON instead of tables." };

    public static WarningPolicy WarningsOf(ParseResult options) => new(
        options.GetValue(WarningsAsErrors),
        WarningPolicy.Codes(options.GetValue(WarnAsError) ?? []),
        WarningPolicy.Codes(options.GetValue(WarnNotAsError) ?? []),
        WarningPolicy.Codes(options.GetValue(NoWarn) ?? []));

    private static Option<T> Checked<T>(Option<T> option, Func<string, string?> complaint)
    {
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (complaint(token.Value) is { } message)
                    result.AddError(message);
            }
        });
        return option;
    }
}
