// One entry of an indexing expression: a number, a range, a tensor of indices, a new dimension, or "all the rest".
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>Converts implicitly from a number, an <see cref="Index"/>, a <see cref="Range"/>.</summary>
    public struct TensorIndex
    {
        internal enum Kind
        {
            None,
            Ellipsis,
            Single,
            Slice,
            Bool,
            Tensor,
        }

        internal Kind kind;
        internal long start;
        internal long? stop;
        internal long step;
        internal Tensor tensor;

        /// <summary>As many whole dimensions as are not indexed otherwise.</summary>
        public static TensorIndex Ellipsis = new() { kind = Kind.Ellipsis };

        /// <summary>A new dimension of size one.</summary>
        public static TensorIndex None = new() { kind = Kind.None };

        public static TensorIndex Null = new() { kind = Kind.None };

        /// <summary>A whole dimension.</summary>
        public static TensorIndex Colon = Slice();

        public static TensorIndex Single(long? index) => index is long given ? new() { kind = Kind.Single, start = given } : None;

        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) =>
            new() { kind = Kind.Slice, start = start ?? 0, stop = stop, step = step ?? 1 };

        public static TensorIndex Slice((int? start, int? end) range) => Slice(range.start, range.end);

        public static TensorIndex Slice(Range range) => Slice(From(range.Start), range.End.IsFromEnd && range.End.Value == 0 ? null : From(range.End));

        public static TensorIndex Bool(bool value) => new() { kind = Kind.Bool, start = value ? 1 : 0 };

        public static TensorIndex Tensor(Tensor tensor) => new() { kind = Kind.Tensor, tensor = tensor };

        public static implicit operator TensorIndex(long value) => Single(value);

        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);

        public static implicit operator TensorIndex(Index index) => Single(From(index));

        public static implicit operator TensorIndex(Range range) => Slice(range);

        // torch counts from the end with negative numbers.
        private static long From(Index index) => index.IsFromEnd ? -index.Value : index.Value;
    }

    // Basic entries become views one after another; index tensors are collected and applied to the view at the end.
    private sealed class IndexPlan : IDisposable
    {
        private readonly List<Tensor> _temporary = [];
        private readonly List<Tensor> _indices = [];
        private readonly Tensor _source;
        private Tensor _view;

        internal IndexPlan(Tensor source, TensorIndex[] entries)
        {
            _source = source;
            _view = source;
            long consumed = 0;
            foreach (TensorIndex entry in entries)
            {
                if (entry.kind is TensorIndex.Kind.Single or TensorIndex.Kind.Slice) consumed++;
                else if (entry.kind == TensorIndex.Kind.Tensor) consumed += entry.tensor.dtype == ScalarType.Bool ? entry.tensor.ndim : 1;
            }

            long dim = 0;
            foreach (TensorIndex entry in entries)
            {
                switch (entry.kind)
                {
                    case TensorIndex.Kind.Single:
                        Step(_view.select(dim, entry.start));
                        break;
                    case TensorIndex.Kind.Slice:
                        Step(_view.slice(dim, entry.start, entry.stop ?? long.MaxValue, entry.step));
                        dim++;
                        break;
                    case TensorIndex.Kind.None:
                        Step(_view.unsqueeze(dim));
                        dim++;
                        break;
                    case TensorIndex.Kind.Ellipsis:
                        dim += source.ndim - consumed;
                        break;
                    case TensorIndex.Kind.Bool:
                        Step(_view.unsqueeze(dim));
                        Use(Own(torch.tensor(new[] { entry.start != 0 })), dim++);
                        break;
                    default:
                        Use(entry.tensor, dim);
                        dim += entry.tensor.dtype == ScalarType.Bool ? entry.tensor.ndim : 1;
                        break;
                }
            }
        }

        internal Tensor Read()
        {
            if (_indices.Count > 0) return Wrap(lb_index(_view.handle, Raw(_indices), _indices.Count, out nint r), r);
            if (ReferenceEquals(_view, _source)) return _source.alias();
            _temporary.Remove(_view);
            return _view;
        }

        internal void Write(Tensor value, bool accumulate)
        {
            if (_indices.Count > 0) Check(lb_index_put_(_view.handle, Raw(_indices), _indices.Count, value.handle, accumulate ? 1 : 0));
            else if (accumulate) _view.add_(value);
            else _view.copy_(value);
        }

        public void Dispose()
        {
            foreach (Tensor tensor in _temporary) tensor.Dispose();
        }

        private void Step(Tensor next) => _view = Own(next);

        private Tensor Own(Tensor tensor)
        {
            _temporary.Add(tensor);
            return tensor;
        }

        // Entry d of the list belongs to dimension d; a mask of several dimensions is one entry.
        private void Use(Tensor index, long dim)
        {
            long place = dim - _indices.Where(used => used is not null && used.dtype == ScalarType.Bool).Sum(used => used.ndim - 1);
            while (_indices.Count < place) _indices.Add(null);
            _indices.Add(index);
        }
    }
}
