// One key of a recipe: what the documentation, the reader, the messages and the fingerprints need to know about it.
using LoraBuild.Core.Diagnostics;

namespace LoraBuild.Core.Recipes;

/// <summary>A key that a recipe may have.</summary>
/// <param name="Name">Dotted: <c>train.learning_rate</c>; a key of a list's items has <c>[]</c> after the list: <c>dataset.sources[].path</c>.</param>
/// <param name="Type">number, integer, true/false, text, list of …, map of …; “or null” where null is a value.</param>
/// <param name="Default">As it would be written in YAML; <c>required</c> where there is none.</param>
/// <param name="Allowed">The range or the words that are allowed; empty when the type says all.</param>
/// <param name="Stages">The stages that read it: those that a change makes stale.</param>
public sealed record RecipeKey(string Name, string Type, string Default, string Allowed, IReadOnlyList<Stage> Stages, string Description);

/// <summary>A key joined to the record that holds its value.</summary>
/// <param name="Read">The owner with the node's value in it, or unchanged when the value was refused and reported.</param>
/// <param name="Format">The owner's value as canonical YAML; paths are relative to the folder given.</param>
internal sealed record BoundKey<TOwner>(RecipeKey Key, Func<TOwner, RecipeNode, IDiagnosticSink, TOwner> Read, Func<TOwner, string, string> Format);

/// <summary>A group of keys whose values one record holds.</summary>
/// <param name="prefix">What stands before a key's name: <c>train.</c></param>
/// <param name="get">The record inside its owner.</param>
/// <param name="set">The owner with another record.</param>
internal sealed class KeyGroup<TOwner, TRecord>(string prefix, TOwner defaults, Func<TOwner, TRecord> get, Func<TOwner, TRecord, TOwner> set)
{
    /// <param name="stages">None given: the key makes nothing stale.</param>
    public BoundKey<TOwner> Key<T>(string name, ValueKind<T> kind, Func<TRecord, T> getValue, Func<TRecord, T, TRecord> setValue, string description, params Stage[] stages) =>
        Bind(name, kind, kind.Format(getValue(get(defaults)), ""), getValue, setValue, description, stages);

    public BoundKey<TOwner> RequiredKey<T>(string name, ValueKind<T> kind, Func<TRecord, T> getValue, Func<TRecord, T, TRecord> setValue, string description, params Stage[] stages) =>
        Bind(name, kind, "required", getValue, setValue, description, stages);

    private BoundKey<TOwner> Bind<T>(string name, ValueKind<T> kind, string defaultText, Func<TRecord, T> getValue, Func<TRecord, T, TRecord> setValue, string description, Stage[] stages)
    {
        string fullName = prefix + name;
        return new BoundKey<TOwner>(
            new RecipeKey(fullName, kind.Type, defaultText, kind.Allowed, stages, description),
            (owner, node, sink) => kind.TryRead(node, fullName, sink, out T value) ? set(owner, setValue(get(owner), value)) : owner,
            (owner, baseDirectory) => kind.Format(getValue(get(owner)), baseDirectory));
    }
}
