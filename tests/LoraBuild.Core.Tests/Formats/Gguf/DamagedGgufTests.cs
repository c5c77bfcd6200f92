// Files that claim what they do not hold, also very long ones, end in a diagnostic within a second and without much memory.
using System.Text;
using LoraBuild.Core.Formats.Gguf;

namespace LoraBuild.Core.Tests.Formats.Gguf;

public sealed class DamagedGgufTests
{
    private const long FiveGigabytes = 5L << 30;

    public static TheoryData<string> Lies() =>
        ["tensors", "all tensors", "keys", "bytes in an array", "strings in an array", "arrays that are each small enough", "one string", "a string past the end", "dimension", "dimensions whose product overflows", "overlap", "hole", "a tensor that is cut off", "an array of arrays"];

    [Theory]
    [MemberData(nameof(Lies))]
    public void A_lie_in_a_file_of_five_gigabytes_costs_neither_time_nor_memory(string lie)
    {
        using TemporaryFolder folder = new();
        string path = folder.File("x.gguf");
        using (FileStream stream = File.Create(path))
        {
            using BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true);
            Write(writer, lie);
            writer.Flush();
            stream.SetLength(FiveGigabytes); // a hole in the file system: it takes no space
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan taken = Prompt.BestOf(() => Expect.Diagnostic(lie == "an array of arrays" ? "LB0441" : "LB0440", () => GgufFile.Open(path)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Prompt.Attempts * 100_000_000L);
        Assert.InRange(taken, TimeSpan.Zero, Prompt.MaxTime);
    }

    private static void Write(BinaryWriter writer, string lie)
    {
        (ulong tensors, ulong keys) = lie switch
        {
            "tensors" => ((ulong)uint.MaxValue, 0UL),
            "all tensors" => ((ulong)FiveGigabytes / 64, 0UL),
            "keys" => (0UL, (ulong)FiveGigabytes),
            "arrays that are each small enough" => (0UL, 1000UL),
            "overlap" or "hole" => (2UL, 0UL),
            "dimension" or "dimensions whose product overflows" or "a tensor that is cut off" => (1UL, 0UL),
            _ => (0UL, 1UL),
        };
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write(tensors);
        writer.Write(keys);
        switch (lie)
        {
            case "bytes in an array":
                Array(writer, "k", GgufValueType.UInt8, 1ul << 32);
                break;
            case "strings in an array":
                Array(writer, "k", GgufValueType.String, 1ul << 26);
                break;
            case "an array of arrays":
                Array(writer, "k", GgufValueType.Array, 4);
                break;
            case "arrays that are each small enough":
                for (int i = 0; i < 8; i++)
                {
                    Array(writer, $"k{i}", GgufValueType.Float32, 1 << 22);
                    writer.BaseStream.Position += 1 << 24;
                }

                break;
            case "one string":
                Key(writer, "k", GgufValueType.String);
                writer.Write(3ul << 30);
                break;
            case "a string past the end":
                writer.Write(ulong.MaxValue);
                break;
            case "dimension":
                Tensor(writer, "t", [1ul << 63], 0);
                break;
            case "dimensions whose product overflows":
                Tensor(writer, "t", [1ul << 32, 1ul << 32], 0);
                break;
            case "a tensor that is cut off":
                Tensor(writer, "t", [1ul << 31], 0); // 8 GB of F32
                break;
            case "overlap":
                Tensor(writer, "t", [1024], 0);
                Tensor(writer, "u", [1024], 2048);
                break;
            case "hole":
                Tensor(writer, "t", [1024], 0);
                Tensor(writer, "u", [1024], 1 << 20);
                break;
        }
    }

    private static void Array(BinaryWriter writer, string name, GgufValueType element, ulong count)
    {
        Key(writer, name, GgufValueType.Array);
        writer.Write((uint)element);
        writer.Write(count);
    }

    private static void Key(BinaryWriter writer, string name, GgufValueType type)
    {
        Text(writer, name);
        writer.Write((uint)type);
    }

    private static void Tensor(BinaryWriter writer, string name, ulong[] dimensions, ulong offset)
    {
        Text(writer, name);
        writer.Write((uint)dimensions.Length);
        foreach (ulong dimension in dimensions)
            writer.Write(dimension);
        writer.Write((uint)GgmlType.F32);
        writer.Write(offset);
    }

    private static void Text(BinaryWriter writer, string text)
    {
        writer.Write((ulong)text.Length);
        writer.Write(Encoding.ASCII.GetBytes(text));
    }
}
