// Lists the public and protected API of an assembly, one member a line, in the form of torchsharp-0.106.0.txt.
using System.Globalization;
using System.Reflection;

namespace LoraBuild.Torch.Tests.Api;

internal static class ApiLister
{
    /// <summary>What follows this in a line is information, not part of what is compared.</summary>
    public const string Tail = "  // ";

    private const string ObjectOverride = "override of object";

    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic |
        BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<string, string> Keywords = new()
    {
        ["System.Void"] = "void", ["System.Boolean"] = "bool", ["System.Byte"] = "byte", ["System.SByte"] = "sbyte",
        ["System.Int16"] = "short", ["System.UInt16"] = "ushort", ["System.Int32"] = "int", ["System.UInt32"] = "uint",
        ["System.Int64"] = "long", ["System.UInt64"] = "ulong", ["System.Single"] = "float", ["System.Double"] = "double",
        ["System.Decimal"] = "decimal", ["System.Char"] = "char", ["System.String"] = "string", ["System.Object"] = "object",
    };

    /// <summary>All lines of an assembly, sorted ordinally, without duplicates.</summary>
    public static IEnumerable<string> Lines(Assembly assembly, Func<string, bool> wantNamespace) =>
        assembly.GetTypes().Where(IsVisible).Where(t => wantNamespace(t.Namespace ?? ""))
            .SelectMany(LinesOf).Distinct().OrderBy(l => l, StringComparer.Ordinal);

    /// <summary>The part of a line that is compared.</summary>
    public static string Key(string line)
    {
        int i = line.IndexOf(Tail, StringComparison.Ordinal);
        return i < 0 ? line : line[..i];
    }

    /// <summary>The lines of one type and of its own (not inherited) members.</summary>
    public static IEnumerable<string> LinesOf(Type type)
    {
        string owner = Name(type);
        yield return Join(owner, "type", Access(type), TypeKind(type), Where(type.GetGenericArguments())) + TailOf(Obsolete(type));
        for (Type? b = type.BaseType; b != null && !IsRoot(b); b = b.BaseType)
            yield return Join(owner, "inherits", Name(b)) + TailOf(b == type.BaseType ? "direct" : "");
        if (type.IsEnum)
            yield return Join(owner, "inherits", Name(Enum.GetUnderlyingType(type)));
        else
            foreach (Type i in type.GetInterfaces().Where(IsVisible))
                yield return Join(owner, "implements", Name(i));
        bool isDelegate = type.BaseType?.FullName == "System.MulticastDelegate";
        foreach (MemberInfo m in type.GetMembers(Declared))
        {
            if (m.Name.Contains('<')) continue;                      // compiler-generated
            switch (m)
            {
                case ConstructorInfo c when !c.IsStatic && !isDelegate && Visible(c):
                    yield return Join(owner, "ctor", Access(c), "instance", ".ctor(" + Parameters(c) + ")") + TailOf(Obsolete(c));
                    break;
                case MethodInfo f when Visible(f) && !IsAccessor(type, f) && !(isDelegate && f.Name != "Invoke"):
                    Type[] g = f.IsGenericMethodDefinition ? f.GetGenericArguments() : Type.EmptyTypes;
                    string arity = g.Length == 0 ? "" : "<" + string.Join(",", g.Select(a => a.Name)) + ">";
                    yield return Join(owner, "method", Access(f), Scope(f), Return(f), f.Name + arity + "(" + Parameters(f) + ")", Where(g))
                        + TailOf(Virtuality(f), Obsolete(f));
                    break;
                case PropertyInfo p:
                    foreach (MethodInfo a in p.GetAccessors(true).Where(Visible))
                    {
                        bool get = a == p.GetMethod;
                        string kind = get ? "get" : a.ReturnParameter.GetRequiredCustomModifiers().Any(x => x.Name == "IsExternalInit") ? "init" : "set";
                        ParameterInfo[] index = p.GetIndexParameters();
                        string name = index.Length == 0 ? p.Name : "this[" + string.Join(", ", index.Select(Parameter)) + "]";
                        yield return Join(owner, kind, Access(a), Scope(a), Name(p.PropertyType, Names(p.GetCustomAttributesData())), name)
                            + TailOf(Virtuality(a), Obsolete(p));
                    }
                    break;
                case FieldInfo f when (f.IsPublic || f.IsFamily || f.IsFamilyOrAssembly) && !f.IsSpecialName:
                    string how = f.IsLiteral ? "const" : (f.IsStatic ? "static" : "instance") + (f.IsInitOnly ? " readonly" : "");
                    string value = f.IsLiteral ? " = " + Constant(f.FieldType.IsEnum ? Enum.GetUnderlyingType(f.FieldType) : f.FieldType, f.GetRawConstantValue()) : "";
                    yield return Join(owner, "field", f.IsPublic ? "public" : "protected", how,
                        Name(f.FieldType, Names(f.GetCustomAttributesData())), f.Name + value) + TailOf(Obsolete(f));
                    break;
                case EventInfo e when e.AddMethod is { } add && Visible(add):
                    yield return Join(owner, "event", Access(add), Scope(add), Name(e.EventHandlerType!), e.Name) + TailOf(Obsolete(e));
                    break;
            }
        }
    }

    /// <summary>A type as the list writes it: C# keywords, T?, (A a,B b), nested types with dots, no spaces between arguments.</summary>
    public static string Name(Type t, Queue<string?>? tupleNames = null)
    {
        if (t.IsByRef) return Name(t.GetElementType()!, tupleNames) + "&";
        if (t.IsPointer) return Name(t.GetElementType()!, tupleNames) + "*";
        if (t.IsArray) return Name(t.GetElementType()!, tupleNames) + "[" + new string(',', t.GetArrayRank() - 1) + "]";
        if (t.IsGenericParameter) return t.Name;
        Type[] args = t.GetGenericArguments();
        string full = t.IsGenericType ? t.GetGenericTypeDefinition().FullName! : t.FullName!;
        if (Keywords.TryGetValue(full, out string? word)) return word;
        if (full == "System.Nullable`1" && !t.IsGenericTypeDefinition) return Name(args[0], tupleNames) + "?";
        if (full.StartsWith("System.ValueTuple`", StringComparison.Ordinal) && !t.IsGenericTypeDefinition && args.Length is > 1 and < 8)
        {
            string?[] own = args.Select(_ => tupleNames is { Count: > 0 } ? tupleNames.Dequeue() : null).ToArray();
            return "(" + string.Join(",", args.Select((a, i) => Name(a, tupleNames) + (own[i] == null ? "" : " " + own[i]))) + ")";
        }
        int used = 0;
        string Part(string part)
        {
            int tick = part.IndexOf('`');
            if (tick < 0) return part;
            int n = int.Parse(part[(tick + 1)..], CultureInfo.InvariantCulture);
            string s = part[..tick] + "<" + string.Join(",", args.Skip(used).Take(n).Select(a => Name(a, tupleNames))) + ">";
            used += n;
            return s;
        }
        return string.Join(".", full.Split('+').Select(Part));
    }

    private static string Parameters(MethodBase m)
    {
        bool extension = m.GetCustomAttributesData().Any(a => a.AttributeType.Name == "ExtensionAttribute");
        return (extension ? "this " : "") + string.Join(", ", m.GetParameters().Select(Parameter));
    }

    private static string Parameter(ParameterInfo p)
    {
        IList<CustomAttributeData> attributes = p.GetCustomAttributesData();
        bool Has(string name) => attributes.Any(a => a.AttributeType.Name == name);
        Type type = p.ParameterType;
        string prefix = type.IsByRef ? (p.IsOut ? "out " : Has("IsReadOnlyAttribute") || Has("RequiresLocationAttribute") ? "in " : "ref ")
            : Has("ParamArrayAttribute") || Has("ParamCollectionAttribute") ? "params " : "";
        if (type.IsByRef) type = type.GetElementType()!;
        string value = p.IsOptional ? " = " + (p.HasDefaultValue ? Constant(type, p.RawDefaultValue) : "default") : "";
        return prefix + Name(type, Names(attributes)) + " " + p.Name + value;
    }

    private static string Constant(Type type, object? value)
    {
        Type bare = type.IsGenericType && type.GetGenericTypeDefinition().FullName == "System.Nullable`1" ? type.GetGenericArguments()[0] : type;
        if (value == null) return type.IsValueType && bare == type || type.IsGenericParameter ? "default" : "null";
        if (bare.IsEnum)
        {
            FieldInfo? named = bare.GetFields(BindingFlags.Public | BindingFlags.Static)
                .FirstOrDefault(f => Convert.ToDecimal(f.GetRawConstantValue(), CultureInfo.InvariantCulture) == Convert.ToDecimal(value, CultureInfo.InvariantCulture));
            return named != null ? Name(bare) + "." + named.Name : "(" + Name(bare) + ")" + Convert.ToString(value, CultureInfo.InvariantCulture);
        }
        return value switch
        {
            bool b => b ? "true" : "false",
            string s => "\"" + string.Concat(s.Select(c => c is '"' or '\\' ? "\\" + c : c < ' ' || c > '~' ? $"\\u{(int)c:x4}" : c.ToString())) + "\"",
            char c => c > ' ' && c <= '~' ? "'" + c + "'" : $"'\\u{(int)c:x4}'",
            float f => f.ToString("R", CultureInfo.InvariantCulture),
            double d => d.ToString("R", CultureInfo.InvariantCulture),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
    }

    private static string Where(Type[] generics) => string.Join(" ", generics.Where(g => g.IsGenericParameter).Select(g =>
    {
        GenericParameterAttributes a = g.GenericParameterAttributes;
        bool unmanaged = g.GetCustomAttributesData().Any(x => x.AttributeType.Name == "IsUnmanagedAttribute");
        bool isStruct = a.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);
        var list = new List<string>();
        if (unmanaged) list.Add("unmanaged"); else if (isStruct) list.Add("struct");
        if (a.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint)) list.Add("class");
        list.AddRange(g.GetGenericParameterConstraints().Where(c => c.FullName != "System.ValueType").Select(c => Name(c)).OrderBy(s => s, StringComparer.Ordinal));
        if (a.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint) && !isStruct) list.Add("new()");
        return list.Count == 0 ? "" : "where " + g.Name + " : " + string.Join(",", list);
    }).Where(s => s.Length > 0));

    private static Queue<string?>? Names(IList<CustomAttributeData> attributes)
    {
        CustomAttributeData? a = attributes.FirstOrDefault(x => x.AttributeType.Name == "TupleElementNamesAttribute");
        return a?.ConstructorArguments[0].Value is IEnumerable<CustomAttributeTypedArgument> v ? new Queue<string?>(v.Select(x => (string?)x.Value)) : null;
    }

    private static string Return(MethodInfo m)
    {
        Queue<string?>? names = Names(m.ReturnParameter.GetCustomAttributesData());
        return m.ReturnType.IsByRef ? "ref " + Name(m.ReturnType.GetElementType()!, names) : Name(m.ReturnType, names);
    }

    private static string TypeKind(Type t) =>
        t.IsEnum ? "enum" : t.BaseType?.FullName == "System.MulticastDelegate" ? "delegate" : t.IsInterface ? "interface"
        : t.IsValueType ? (t.IsByRefLike ? "ref struct" : "struct")
        : t.IsAbstract && t.IsSealed ? "static class" : t.IsAbstract ? "abstract class" : t.IsSealed ? "sealed class" : "class";

    private static string Virtuality(MethodInfo m) => !m.IsVirtual || m.DeclaringType!.IsInterface ? ""
        : m.GetBaseDefinition() is { DeclaringType.FullName: "System.Object" } ? ObjectOverride
        : m.GetBaseDefinition() != m ? (m.IsAbstract ? "abstract override" : m.IsFinal ? "sealed override" : "override")
        : m.IsAbstract ? "abstract" : m.IsFinal ? "" : "virtual";

    private static bool IsAccessor(Type t, MethodInfo m) => m.IsSpecialName &&
        (t.GetProperties(Declared).Any(p => p.GetAccessors(true).Contains(m)) || t.GetEvents(Declared).Any(e => e.AddMethod == m || e.RemoveMethod == m));

    private static bool IsRoot(Type b) => b.FullName is "System.Object" or "System.ValueType" or "System.Enum" or "System.MulticastDelegate" or "System.Delegate";
    private static bool IsVisible(Type t) => t.IsNested ? (t.IsNestedPublic || t.IsNestedFamily || t.IsNestedFamORAssem) && IsVisible(t.DeclaringType!) : t.IsPublic;
    private static bool Visible(MethodBase m) => m.IsPublic || m.IsFamily || m.IsFamilyOrAssembly;
    private static string Access(MethodBase m) => m.IsPublic ? "public" : "protected";
    private static string Access(Type t) => t.IsPublic || t.IsNestedPublic ? "public" : "protected";
    private static string Scope(MethodBase m) => m.IsStatic ? "static" : "instance";
    private static string Obsolete(MemberInfo m) => m.GetCustomAttributesData().Any(a => a.AttributeType.Name == "ObsoleteAttribute") ? "obsolete" : "";
    private static string Join(params string[] parts) => string.Join(" ", parts.Where(p => p.Length > 0));
    private static string TailOf(params string[] notes) => notes.Any(n => n.Length > 0) ? Tail + string.Join(", ", notes.Where(n => n.Length > 0)) : "";

    /// <summary>The lines that the list has neither for the type itself nor for one of the type's base classes in the list.</summary>
    public static IEnumerable<string> NotIn(IEnumerable<string> lines, IEnumerable<string> list)
    {
        var known = list.Where(l => l.Length > 0 && l[0] != '#').Select(Key).ToHashSet(StringComparer.Ordinal);
        var bases = known.Select(l => l.Split(' ')).Where(w => w[1] == "inherits").ToLookup(w => w[0], w => w[2]);
        return lines.Where(line =>
        {
            string key = Key(line), owner = key[..key.IndexOf(' ')];
            return !line.EndsWith(ObjectOverride, StringComparison.Ordinal) && !known.Contains(key)
                && !bases[owner].Any(b => known.Contains(b + key[owner.Length..]));
        });
    }
}
