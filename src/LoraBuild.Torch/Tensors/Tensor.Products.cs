// Matrix products and decompositions. Shapes that do not fit throw with both shapes in the text.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public Tensor matmul(Tensor target) => Wrap(lb_matmul(handle, target.handle, out nint r), r);

        public Tensor mm(Tensor target) => Wrap(lb_mm(handle, target.handle, out nint r), r);

        public Tensor bmm(Tensor batch2) => Wrap(lb_bmm(handle, batch2.handle, out nint r), r);

        public Tensor mv(Tensor target) => Wrap(lb_mv(handle, target.handle, out nint r), r);

        public Tensor dot(Tensor target) => Wrap(lb_dot(handle, target.handle, out nint r), r);

        public Tensor outer(Tensor vec2) => Wrap(lb_outer(handle, vec2.handle, out nint r), r);

        /// <summary>beta·this + alpha·(mat1 mat2)</summary>
        public Tensor addmm(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) =>
            Wrap(lb_addmm(handle, mat1.handle, mat2.handle, beta, alpha, out nint r), r);

        public Tensor addmm_(Tensor mat1, Tensor mat2, float beta = 1, float alpha = 1) => Self(lb_addmm_(handle, mat1.handle, mat2.handle, beta, alpha));

        public Tensor baddbmm(Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) =>
            Wrap(lb_baddbmm(handle, batch1.handle, batch2.handle, beta, alpha, out nint r), r);
    }

    public static Tensor matmul(Tensor input, Tensor target) => input.matmul(target);

    public static Tensor mm(Tensor input, Tensor target) => input.mm(target);

    public static Tensor bmm(Tensor input, Tensor batch2) => input.bmm(batch2);

    public static Tensor mv(Tensor input, Tensor target) => input.mv(target);

    public static Tensor dot(Tensor input, Tensor other) => input.dot(other);

    public static Tensor outer(Tensor input, Tensor vec2) => input.outer(vec2);

    public static Tensor addmm(Tensor input, Tensor mat1, Tensor mat2, float beta, float alpha) => input.addmm(mat1, mat2, beta, alpha);

    public static Tensor baddbmm(Tensor input, Tensor batch1, Tensor batch2, float beta = 1, float alpha = 1) => input.baddbmm(batch1, batch2, beta, alpha);

    public static Tensor einsum(string equation, params Tensor[] tensors)
    {
        int status = lb_einsum(equation, Raw(tensors), tensors.Length, out nint r);
        GC.KeepAlive(tensors);
        return Wrap(status, r);
    }

    public static class linalg
    {
        public enum QRMode
        {
            Reduced = 0,
            Complete = 1,
            R = 2,
        }

        public static Tensor vector_norm(Tensor input, double ord = 2, long[] dims = null, bool keepdim = false) =>
            Wrap(lb_vector_norm(input.handle, ord, dims, dims?.Length ?? 0, keepdim ? 1 : 0, out nint r), r);

        /// <summary>A = U diag(S) Vh, the singular values in falling order.</summary>
        public static (Tensor U, Tensor S, Tensor Vh) svd(Tensor input, bool fullMatrices = true)
        {
            Check(lb_svd(input.handle, fullMatrices ? 1 : 0, out nint u, out nint s, out nint vh));
            return (new Tensor(u), new Tensor(s), new Tensor(vh));
        }

        public static (Tensor Q, Tensor R) qr(Tensor input, QRMode mode = QRMode.Reduced) =>
            Wrap(lb_qr(input.handle, (int)mode, out nint q, out nint r), q, r);
    }
}
