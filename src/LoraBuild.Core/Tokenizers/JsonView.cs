// A JSON file together with the place of each of its values, so that what is wrong with one can be said with file and line.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using LoraBuild.Core.Diagnostics;
using LoraBuild.Core.Tokenizers.Models;

namespace LoraBuild.Core.Tokenizers;

internal sealed class JsonSource
{
    private readonly byte[] bytes;

    private JsonSource(string file, byte[] bytes, JsonDocument document)
    {
        File = file;
        this.bytes = bytes;
        Root = new JsonView(this, document.RootElement, "");
    }

    public string File { get; }

    public JsonView Root { get; }

    /// <exception cref="DiagnosticException">LB0201: the file cannot be read; LB0202: it is not JSON.</exception>
    public static JsonSource Read(string file) => Parse(ReadBytes(file), file);

    /// <exception cref="DiagnosticException">LB0201: the file cannot be read.</exception>
    public static byte[] ReadBytes(string file)
    {
        try
        {
            return System.IO.File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DiagnosticException("LB0201", $"the file cannot be read: {e.Message}. A tokenizer is a directory with a tokenizer.json or a tokenizer.model; name that directory", file);
        }
    }

    /// <exception cref="DiagnosticException">LB0202: not JSON.</exception>
    public static JsonSource Parse(byte[] bytes, string file)
    {
        try
        {
            ReadOnlyMemory<byte> content = bytes.AsSpan().StartsWith("\uFEFF"u8) ? bytes.AsMemory(3) : bytes;
            return new JsonSource(file, bytes, JsonDocument.Parse(content, new JsonDocumentOptions { MaxDepth = 256 }));
        }
        catch (JsonException e)
        {
            throw new DiagnosticException("LB0202", $"the file is not valid JSON: {e.Message} Fetch it again: it may be cut off, or a Git LFS pointer", file, (int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1);
        }
    }

    /// <summary>The line of a value, from 1.</summary>
    public int LineOf(JsonElement element)
    {
        // The raw value is a window on the very bytes that were parsed, so their distance is its position.
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8Value(element);
        nint offset = Unsafe.ByteOffset(ref MemoryMarshal.GetArrayDataReference(bytes), ref MemoryMarshal.GetReference(raw));
        return offset < 0 || offset > bytes.Length ? 0 : bytes.AsSpan(0, (int)offset).Count((byte)'\n') + 1;
    }
}

/// <summary>One value with its path; reading something of the wrong type is a diagnostic (LB0203).</summary>
internal readonly record struct JsonView(JsonSource Source, JsonElement Element, string Path)
{
    public JsonValueKind Kind => Element.ValueKind;

    public bool IsNull => Kind is JsonValueKind.Null or JsonValueKind.Undefined;

    public DiagnosticException Error(string code, string message) =>
        new(code, Path.Length == 0 ? message : $"{Path}: {message}", Source.File, Source.LineOf(Element));

    private DiagnosticException Wrong(string expected) => Error("LB0203", $"{expected} is expected here, got {Describe()}");

    private string Describe()
    {
        string raw = Element.GetRawText();
        return $"{Kind.ToString().ToLowerInvariant()} {(raw.Length > 60 ? raw[..60] + "…" : raw)}";
    }

    private string Child(string name) => Path.Length == 0 ? name : $"{Path}.{name}";

    /// <summary>A property that must be there.</summary>
    public JsonView this[string name] => TryGet(name, out JsonView value) ? value : throw Error("LB0203", $"the key \"{name}\" is missing");

    /// <summary>False where the key is absent or null.</summary>
    public bool TryGet(string name, out JsonView value)
    {
        if (Kind != JsonValueKind.Object)
            throw Wrong("an object");
        if (Element.TryGetProperty(name, out JsonElement element) && element.ValueKind != JsonValueKind.Null)
        {
            value = new JsonView(Source, element, Child(name));
            return true;
        }

        value = default;
        return false;
    }

    public string AsString()
    {
        if (Kind != JsonValueKind.String)
            throw Wrong("a string");
        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Error("LB0203", "the string holds half of a surrogate pair, or bytes that are not UTF-8");
        }
    }

    public bool AsBool() => Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    /// <summary>One of an enumeration's names, as they are written there.</summary>
    public T AsEnum<T>()
        where T : struct, Enum
    {
        string name = AsString();
        return Enum.TryParse(name, out T value) && Enum.GetName(value) == name
            ? value
            : throw Error("LB0203", $"\"{name}\" is not one of {string.Join(", ", Enum.GetNames<T>())}");
    }

    public int AsInt() => Kind == JsonValueKind.Number && Element.TryGetInt32(out int value) ? value : throw Wrong("a whole number");

    public double AsDouble() => Kind == JsonValueKind.Number ? Element.GetDouble() : throw Wrong("a number");

    /// <summary>Rounded as Hugging Face's library rounds, not to the nearest double.</summary>
    public double AsLibraryDouble()
    {
        if (Kind != JsonValueKind.Number)
            throw Wrong("a number");
        double value = LibraryNumber.Parse(JsonMarshal.GetRawUtf8Value(Element));
        return double.IsFinite(value) ? value : throw Wrong("a number that a double can hold");
    }

    public string? OptionalString(string name) => TryGet(name, out JsonView value) ? value.AsString() : null;

    public bool OptionalBool(string name, bool otherwise) => TryGet(name, out JsonView value) ? value.AsBool() : otherwise;

    public IEnumerable<JsonView> Items()
    {
        if (Kind != JsonValueKind.Array)
            throw Wrong("an array");
        return Enumerate(this);

        static IEnumerable<JsonView> Enumerate(JsonView view)
        {
            int i = 0;
            foreach (JsonElement element in view.Element.EnumerateArray())
                yield return new JsonView(view.Source, element, $"{view.Path}[{i++}]");
        }
    }

    public IEnumerable<(string Name, JsonView Value)> Properties()
    {
        if (Kind != JsonValueKind.Object)
            throw Wrong("an object");
        return Enumerate(this);

        static IEnumerable<(string, JsonView)> Enumerate(JsonView view)
        {
            foreach (JsonProperty property in view.Element.EnumerateObject())
                yield return (property.Name, new JsonView(view.Source, property.Value, view.Child(property.Name)));
        }
    }
}
