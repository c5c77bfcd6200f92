// The elements of a CPU tensor as a C# sequence, in row order whatever the strides are.
using System.Collections;

namespace TorchSharp.Utils;

/// <summary>Reads and writes a tensor's memory. It is valid while the tensor lives.</summary>
/// <typeparam name="T">The C# type of the tensor's dtype.</typeparam>
public sealed class TensorAccessor<T> : IEnumerable<T>, IDisposable
    where T : unmanaged
{
    private readonly torch.Tensor _tensor;
    private readonly long[] _shape;
    private readonly long[] _strides;
    private readonly bool _isContiguous;

    internal TensorAccessor(torch.Tensor tensor)
    {
        _tensor = tensor;
        _shape = tensor.shape;
        _strides = tensor.stride();
        _isContiguous = tensor.is_contiguous();
    }

    public long Count => _tensor.NumberOfElements;

    public bool IsReadOnly => false;

    public T this[params long[] indices]
    {
        get => Read(OffsetOf(indices));
        set => Write(OffsetOf(indices), value);
    }

    /// <exception cref="ArgumentException">More elements than an array holds.</exception>
    public T[] ToArray()
    {
        var array = new T[checked((int)Count)];
        CopyTo(array);
        return array;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    /// <summary>As many elements as both sides have from their starts on.</summary>
    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensorIndex);
        Span<T> target = array[arrayIndex..];
        int count = (int)Math.Min(target.Length, Math.Max(0, Count - tensorIndex));
        if (_isContiguous) ContiguousSpan(tensorIndex, count).CopyTo(target);
        else for (int i = 0; i < count; i++) target[i] = Read(OffsetOf(tensorIndex + i));
        GC.KeepAlive(_tensor);
    }

    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyFrom((ReadOnlySpan<T>)array, arrayIndex, tensorIndex);

    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensorIndex);
        ReadOnlySpan<T> source = array[arrayIndex..];
        int count = (int)Math.Min(source.Length, Math.Max(0, Count - tensorIndex));
        if (_isContiguous) source[..count].CopyTo(ContiguousSpan(tensorIndex, count));
        else for (int i = 0; i < count; i++) Write(OffsetOf(tensorIndex + i), source[i]);
        GC.KeepAlive(_tensor);
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (long i = 0; i < Count; i++) yield return Read(_isContiguous ? i : OffsetOf(i));
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // The tensor owns the memory.
    public void Dispose()
    {
    }

    // A tensor that nothing else refers to could be finalized between the look at its address and the access.
    private unsafe T Read(long offset)
    {
        T value = ((T*)_tensor.DataPointer())[offset];
        GC.KeepAlive(_tensor);
        return value;
    }

    private unsafe void Write(long offset, T value)
    {
        ((T*)_tensor.DataPointer())[offset] = value;
        GC.KeepAlive(_tensor);
    }

    private unsafe Span<T> ContiguousSpan(long start, int count) => new((T*)_tensor.DataPointer() + start, count);

    // Of the n-th element in row order.
    private long OffsetOf(long position)
    {
        long offset = 0;
        for (int dim = _shape.Length - 1; dim >= 0; dim--)
        {
            offset += position % _shape[dim] * _strides[dim];
            position /= _shape[dim];
        }

        return offset;
    }

    private long OffsetOf(long[] indices)
    {
        if (indices.Length == 1 && _shape.Length != 1) return OffsetOf(InRange(indices[0], Count));
        if (indices.Length != _shape.Length) throw new ArgumentException($"{indices.Length} indices for {_shape.Length} dimensions");
        long offset = 0;
        for (int dim = 0; dim < indices.Length; dim++) offset += InRange(indices[dim], _shape[dim]) * _strides[dim];
        return offset;
    }

    private static long InRange(long index, long size) =>
        index >= 0 && index < size ? index : throw new IndexOutOfRangeException($"index {index} of {size} elements");
}
