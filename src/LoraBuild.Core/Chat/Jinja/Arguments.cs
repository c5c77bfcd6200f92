// The arguments of one call, and their binding to a signature as Python does it.
namespace LoraBuild.Core.Chat.Jinja;

internal sealed class Arguments(object?[] positional, IReadOnlyList<KeyValuePair<string, object?>> named)
{
    public static readonly object Missing = new();

    public static readonly Arguments None = new([], []);

    public object?[] Positional { get; } = positional;

    public IReadOnlyList<KeyValuePair<string, object?>> Named { get; } = named;

    /// <summary>Puts <paramref name="first"/> before the others, as a filter does with its value.</summary>
    public Arguments Prepend(object? first) => new([first, .. Positional], Named);

    /// <summary>One value a parameter, in order; <see cref="Missing"/> where nothing was given.</summary>
    /// <param name="function">The name for error messages.</param>
    /// <param name="required">How many of the parameters must be given.</param>
    public object?[] Bind(string function, int required, params string[] parameters)
    {
        if (Positional.Length > parameters.Length)
            throw new JinjaException(JinjaErrorKind.TypeError, $"{function}() takes at most {parameters.Length} argument(s) ({Positional.Length} given)");
        Budget.Current.Step(Named.Count);
        object?[] bound = new object?[parameters.Length];
        Array.Fill(bound, Missing);
        Positional.CopyTo(bound, 0);
        foreach ((string name, object? value) in Named)
        {
            int at = Array.IndexOf(parameters, name);
            if (at < 0)
                throw new JinjaException(JinjaErrorKind.TypeError, $"{function}() got an unexpected keyword argument '{name}'");
            if (!ReferenceEquals(bound[at], Missing))
                throw new JinjaException(JinjaErrorKind.TypeError, $"{function}() got multiple values for argument '{name}'");
            bound[at] = value;
        }

        for (int i = 0; i < required; i++)
        {
            if (ReferenceEquals(bound[i], Missing))
                throw new JinjaException(JinjaErrorKind.TypeError, $"{function}() missing required argument: '{parameters[i]}'");
        }

        return bound;
    }

    public static object? Or(object? value, object? fallback) => ReferenceEquals(value, Missing) ? fallback : value;
}
