// One metadata entry of a GGUF file: name, type, value.
namespace LoraBuild.Core.Formats.Gguf;

/// <summary>Numbers as in the file (GGUF v3 specification, <c>gguf_metadata_value_type</c>).</summary>
public enum GgufValueType
{
    UInt8 = 0,
    Int8 = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Float32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Float64 = 12,
}

/// <param name="Value">byte, sbyte, …, string; for arrays a .NET array of that element type.</param>
/// <param name="ElementType">Of arrays; null otherwise.</param>
public sealed record GgufKey(string Name, GgufValueType Type, object Value, GgufValueType? ElementType = null)
{
    public static GgufKey Of(string name, uint value) => new(name, GgufValueType.UInt32, value);

    public static GgufKey Of(string name, float value) => new(name, GgufValueType.Float32, value);

    public static GgufKey Of(string name, bool value) => new(name, GgufValueType.Bool, value);

    public static GgufKey Of(string name, string value) => new(name, GgufValueType.String, value);

    public static GgufKey Of(string name, string[] values) => new(name, GgufValueType.Array, values, GgufValueType.String);

    public static GgufKey Of(string name, int[] values) => new(name, GgufValueType.Array, values, GgufValueType.Int32);

    public static GgufKey Of(string name, float[] values) => new(name, GgufValueType.Array, values, GgufValueType.Float32);

    /// <summary>Bytes of one value of fixed size; null for strings and arrays.</summary>
    internal static int? SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => null,
    };
}
