// The C functions of native/linalg.cpp and native/functional.cpp as they are; every call goes through Check or Wrap of NativeCall.
using System.Runtime.InteropServices;

namespace LoraBuild.Torch.Native;

internal static partial class NativeMethods
{
    [LibraryImport(Library)]
    internal static partial int lb_matmul(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mm(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_bmm(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mv(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_dot(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_outer(TensorHandle a, TensorHandle b, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_addmm(TensorHandle a, TensorHandle b, TensorHandle c, double beta, double alpha, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_addmm_(TensorHandle a, TensorHandle b, TensorHandle c, double beta, double alpha);

    [LibraryImport(Library)]
    internal static partial int lb_baddbmm(TensorHandle a, TensorHandle b, TensorHandle c, double beta, double alpha, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_baddbmm_(TensorHandle a, TensorHandle b, TensorHandle c, double beta, double alpha);

    [LibraryImport(Library)]
    internal static partial int lb_linear(TensorHandle input, TensorHandle weight, TensorHandle bias, out nint result);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int lb_einsum(string equation, ReadOnlySpan<nint> tensors, long count, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_vector_norm(TensorHandle a, double order, ReadOnlySpan<long> dims, long count, int keep, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_svd(TensorHandle a, int full, out nint u, out nint s, out nint vh);

    [LibraryImport(Library)]
    internal static partial int lb_qr(TensorHandle a, int mode, out nint q, out nint r);

    [LibraryImport(Library)]
    internal static partial int lb_silu(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_silu_(TensorHandle a);

    [LibraryImport(Library)]
    internal static partial int lb_gelu(TensorHandle a, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_dropout(TensorHandle a, double p, int training, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_dropout_(TensorHandle a, double p, int training);

    [LibraryImport(Library)]
    internal static partial int lb_embedding(TensorHandle weight, TensorHandle indices, long padding, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_cross_entropy(TensorHandle input, TensorHandle target, TensorHandle weight, long ignoreIndex, long reduction, double smoothing, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_nll_loss(TensorHandle input, TensorHandle target, TensorHandle weight, long reduction, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_mse_loss(TensorHandle input, TensorHandle target, long reduction, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_layer_norm(TensorHandle input, ReadOnlySpan<long> shape, long count, TensorHandle weight, TensorHandle bias, double eps, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_one_hot(TensorHandle a, long classes, out nint result);

    [LibraryImport(Library)]
    internal static partial int lb_attention(TensorHandle query, TensorHandle key, TensorHandle value, TensorHandle mask, double p, int causal, out nint result);
}
