// Bytes by who gives them out: the block allocator keeps what was alive at once, malloc keeps more.
namespace LoraBuild.Engine.Planning;

/// <param name="Large">Of large tensors, of weights, of arrays of their own.</param>
/// <param name="Small">Of tensors that come from malloc.</param>
public readonly record struct Footprint(long Large, long Small)
{
    public long Total => Large + Small;

    public static Footprint operator +(Footprint a, Footprint b) => new(a.Large + b.Large, a.Small + b.Small);

    public static Footprint operator *(Footprint a, long count) => new(a.Large * count, a.Small * count);

    /// <param name="bytes">Of a tensor.</param>
    /// <param name="blockBytes">Tensors from this size on are large.</param>
    public static Footprint OfTensor(double bytes, long blockBytes) => bytes >= blockBytes ? new((long)bytes, 0) : new(0, (long)bytes);

    /// <summary>What both allocators have given out when each of two moments is past.</summary>
    public static Footprint Max(Footprint a, Footprint b) => new(Math.Max(a.Large, b.Large), Math.Max(a.Small, b.Small));
}
