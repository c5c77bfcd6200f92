// Reading and writing elements by position, index tensor and mask.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor index_select(long dim, Tensor index) => Wrap(lb_index_select(handle, dim, index.handle, out nint r), r);

        public Tensor gather(long dim, Tensor index) => Wrap(lb_gather(handle, dim, index.handle, out nint r), r);

        public Tensor take(Tensor index) => Wrap(lb_take(handle, index.handle, out nint r), r);

        public Tensor masked_select(Tensor mask) => Wrap(lb_masked_select(handle, mask.handle, out nint r), r);

        public Tensor nonzero() => Wrap(lb_nonzero(handle, out nint r), r);

        public Tensor scatter(long dim, Tensor index, Tensor src) => Wrap(lb_scatter(handle, dim, index.handle, src.handle, out nint r), r);

        public Tensor scatter_(long dim, Tensor index, Tensor src) => Self(lb_scatter_(handle, dim, index.handle, src.handle));

        public Tensor scatter_add(long dim, Tensor index, Tensor src) => Wrap(lb_scatter_add(handle, dim, index.handle, src.handle, out nint r), r);

        public Tensor scatter_add_(long dim, Tensor index, Tensor src) => Self(lb_scatter_add_(handle, dim, index.handle, src.handle));

        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Wrap(lb_index_add(handle, dim, index.handle, source.handle, alpha.Value, out nint r), r);

        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) => Self(lb_index_add_(handle, dim, index.handle, source.handle, alpha.Value));

        public Tensor index_copy(long dim, Tensor index, Tensor source) => Wrap(lb_index_copy(handle, dim, index.handle, source.handle, out nint r), r);

        public Tensor index_copy_(long dim, Tensor index, Tensor source) => Self(lb_index_copy_(handle, dim, index.handle, source.handle));

        public Tensor index_fill_(long dim, Tensor index, Scalar value) => Self(lb_index_fill_(handle, dim, index.handle, value.Value));

        public Tensor this[long i1]
        {
            get => select(0, i1);
            set => Place(value, i1);
        }

        public Tensor this[long i1, long i2]
        {
            get => At(i1, i2);
            set => Place(value, i1, i2);
        }

        public Tensor this[long i1, long i2, long i3]
        {
            get => At(i1, i2, i3);
            set => Place(value, i1, i2, i3);
        }

        public Tensor this[params TensorIndex[] indices]
        {
            get => index(indices);
            set => index_put_(value, indices);
        }

        public Tensor index(params TensorIndex[] indices)
        {
            using var plan = new IndexPlan(this, indices);
            return plan.Read();
        }

        /// <summary>Writes the value, broadcast, to the indexed elements.</summary>
        public Tensor index_put_(Tensor value, params TensorIndex[] indices) => index_put_(value, indices, accumulate: false);

        public Tensor index_put_(Tensor value, TensorIndex[] indices, bool accumulate = false)
        {
            using var plan = new IndexPlan(this, indices);
            plan.Write(value, accumulate);
            return this;
        }

        public Tensor index_put_(Scalar value, params TensorIndex[] indices)
        {
            using Tensor filled = torch.full([], value, dtype, device);
            return index_put_(filled, indices, accumulate: false);
        }

        private Tensor At(params ReadOnlySpan<long> indices)
        {
            Tensor result = this;
            foreach (long index in indices)
            {
                Tensor next = result.select(0, index);
                if (!ReferenceEquals(result, this)) result.Dispose();
                result = next;
            }

            return result;
        }

        private void Place(Tensor value, params ReadOnlySpan<long> indices)
        {
            using Tensor target = At(indices);
            target.copy_(value);
        }
    }

    public static Tensor index_select(Tensor input, long dim, Tensor index) => input.index_select(dim, index);

    public static Tensor gather(Tensor input, long dim, Tensor index) => input.gather(dim, index);

    public static Tensor take(Tensor input, Tensor index) => input.take(index);

    public static Tensor masked_select(Tensor input, Tensor mask) => input.masked_select(mask);

    public static Tensor nonzero(Tensor input) => input.nonzero();

    public static Tensor searchsorted(Tensor sorted_sequence, Tensor values, bool out_int32 = false, bool right = false, Tensor sorter = null)
    {
        if (sorter is null) return Wrap(lb_searchsorted(sorted_sequence.handle, values.handle, out_int32 ? 1 : 0, right ? 1 : 0, out nint r), r);
        using Tensor ordered = sorted_sequence.gather(-1, sorter);
        return searchsorted(ordered, values, out_int32, right);
    }
}
