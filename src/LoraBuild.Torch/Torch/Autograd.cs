// Backward passes.
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public void backward() => autograd.backward([this]);

        public void backward(IList<Tensor> grad_tensors = null, bool retain_graph = false, bool create_graph = false, IList<Tensor> inputs = null) =>
            autograd.backward([this], grad_tensors, retain_graph, create_graph, inputs);
    }

    public static partial class autograd
    {
        /// <summary>Accumulates gradients into the leaves. An exception thrown by a custom function's backward is thrown here.</summary>
        public static void backward(
            IList<Tensor> tensors, IList<Tensor> grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor> inputs = null)
        {
            nint[] roots = RawList(tensors), grads = RawList(grad_tensors), leaves = RawList(inputs);
            if (grads.Length != 0 && grads.Length != roots.Length) throw new ArgumentException($"backward: {grads.Length} gradients for {roots.Length} tensors");
            int status = lb_backward(roots, roots.Length, grads, grads.Length, (retain_graph ?? create_graph) ? 1 : 0, create_graph ? 1 : 0, leaves, leaves.Length);
            GC.KeepAlive(tensors);
            GC.KeepAlive(grad_tensors);
            GC.KeepAlive(inputs);
            Check(status);
        }

        public static void backward(
            Tensor tensor, IList<Tensor> grad_tensors = null, bool? retain_graph = null, bool create_graph = false, IList<Tensor> inputs = null) =>
            backward([tensor], grad_tensors, retain_graph, create_graph, inputs);

        /// <summary>The gradients of the outputs with respect to the inputs, without accumulating them.</summary>
        public static IList<Tensor> grad(
            IList<Tensor> outputs, IList<Tensor> inputs, IList<Tensor> grad_outputs = null, bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            nint[] roots = RawList(outputs), leaves = RawList(inputs), grads = RawList(grad_outputs);
            if (grads.Length != 0 && grads.Length != roots.Length) throw new ArgumentException($"grad: {grads.Length} gradients for {roots.Length} outputs");
            var results = new nint[leaves.Length];
            int status = lb_autograd_grad(roots, roots.Length, leaves, leaves.Length, grads, grads.Length, retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, results);
            GC.KeepAlive(outputs);
            GC.KeepAlive(inputs);
            GC.KeepAlive(grad_outputs);
            Check(status);
            return [.. results.Select(result => result == 0 ? null : new Tensor(result))];
        }

        internal static nint[] RawList(IList<Tensor> tensors) => tensors is null ? [] : Raw([.. tensors]);
    }
}
