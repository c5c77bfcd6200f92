// Functions whose forward and backward are written in C#.
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;

namespace TorchSharp;

public static partial class torch
{
    public static partial class autograd
    {
        /// <summary>What forward leaves for backward.</summary>
        public class AutogradContext : IDisposable
        {
            private readonly Dictionary<string, object> _data = new(StringComparer.Ordinal);

            internal AutogradContext()
            {
            }

            internal List<Tensor> ToSave { get; private set; } = [];

            internal List<Tensor> Dirty { get; private set; } = [];

            internal List<Tensor> NonDifferentiable { get; private set; } = [];

            // The graph's node while its backward runs; the node owns this context, so nothing is owned here.
            internal nint Node { get; set; }

            /// <summary>Whether a gradient that is not there reaches backward as zeros.</summary>
            public bool MaterializeGrads { get; private set; } = true;

            public void set_materialize_grads(bool value) => MaterializeGrads = value;

            /// <summary>Keeps arguments and outputs for backward; they are freed after it unless the graph is retained.</summary>
            public void save_for_backward(List<Tensor> tensors) => ToSave = tensors ?? [];

            public void mark_dirty(List<Tensor> tensors) => Dirty = tensors ?? [];

            public void mark_non_differentiable(List<Tensor> tensors) => NonDifferentiable = tensors ?? [];

            public void save_data(string key, object value) => _data[key] = value;

            public object get_data(string key) => _data[key];

            /// <exception cref="ExternalException">The graph was freed by an earlier backward, or a saved tensor was changed in place.</exception>
            public List<Tensor> get_saved_variables()
            {
                if (Node == 0) return [.. ToSave];
                int status = lb_function_saved(Node, out nint array, out long count);
                return [.. WrapList(status, array, count)];
            }

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing)
            {
                if (!disposing) return;
                _data.Clear();
                ToSave = [];
            }
        }

        // One application of a function: what the graph's node needs to run its backward.
        private sealed class Application
        {
            internal AutogradContext Context;
            internal Func<AutogradContext, List<Tensor>, List<Tensor>> Backward;
            internal string Name;
            internal int ArgumentCount;
            internal int[] TensorPlaces;
        }

        private static class Callbacks
        {
            // Runs once, before the first function is applied.
            static unsafe Callbacks() => lb_function_callbacks(&RunBackward, &Release);

            internal static void Install() => RuntimeHelpers.RunClassConstructor(typeof(Callbacks).TypeHandle);

            // Called by libtorch, on whichever thread runs the backward pass. No exception may leave it: it is handed to the caller of backward.
            [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
            private static unsafe long RunBackward(nint managed, nint node, nint* grads, long gradCount, nint* results, long resultCount)
            {
                try
                {
                    var application = (Application)GCHandle.FromIntPtr(managed).Target;
                    // What backward makes is gone when it returns, except the gradients.
                    using DisposeScope scope = NewDisposeScope();
                    var gradients = new List<Tensor>((int)gradCount);
                    for (long i = 0; i < gradCount; i++) gradients.Add(grads[i] == 0 ? null : new Tensor(grads[i]));
                    AutogradContext context = application.Context;
                    nint outer = context.Node;
                    context.Node = node;
                    List<Tensor> answers;
                    try
                    {
                        answers = application.Backward(context, gradients);
                    }
                    finally
                    {
                        context.Node = outer;
                    }

                    if (answers is null || answers.Count != application.ArgumentCount)
                        throw new InvalidOperationException(
                            $"{application.Name}.backward returned {answers?.Count ?? 0} gradients for {application.ArgumentCount} arguments; null stands for none");
                    for (int i = 0; i < resultCount; i++)
                    {
                        Tensor answer = answers[application.TensorPlaces[i]];
                        if (answer is not null) Check(lb_share(answer.handle, out results[i]));
                    }

                    return 0;
                }
                catch (Exception error)
                {
                    return Hold(error);
                }
            }

            [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
            private static void Release(nint managed) => GCHandle.FromIntPtr(managed).Free();
        }

        public abstract class Function<T>
            where T : Function<T>, new()
        {
            protected Function()
            {
            }

            /// <summary>Names the graph's node in libtorch's messages.</summary>
            public abstract string Name { get; }

            internal abstract List<Tensor> RunForward(AutogradContext context, object[] vars);

            internal abstract List<Tensor> RunBackward(AutogradContext context, List<Tensor> gradients);

            /// <summary>Runs forward without recording it and, where a tensor argument needs a gradient, puts backward into the graph.</summary>
            public static List<Tensor> apply_internal(params object[] vars)
            {
                Callbacks.Install();
                var function = new T();
                int[] places = [.. Enumerable.Range(0, vars.Length).Where(i => vars[i] is Tensor)];
                Tensor[] arguments = [.. places.Select(i => (Tensor)vars[i])];
                var context = new AutogradContext();
                nint node = Begin(function, context, vars.Length, places, arguments);
                try
                {
                    List<Tensor> outputs;
                    using (no_grad()) outputs = function.RunForward(context, vars);
                    if (node != 0) End(node, context, arguments, outputs);
                    return outputs;
                }
                finally
                {
                    GC.KeepAlive(arguments);
                    if (node != 0) lb_function_free(node);
                }
            }

            private static nint Begin(T function, AutogradContext context, int argumentCount, int[] places, Tensor[] arguments)
            {
                var application = new Application
                {
                    Context = context,
                    Backward = function.RunBackward,
                    Name = function.Name,
                    ArgumentCount = argumentCount,
                    TensorPlaces = places,
                };
                GCHandle managed = GCHandle.Alloc(application);
                int status = lb_function_begin(GCHandle.ToIntPtr(managed), application.Name, Raw(arguments), arguments.Length, out nint node);
                if (status != 0 || node == 0) managed.Free();
                Check(status);
                return node;
            }

            private static void End(nint node, AutogradContext context, Tensor[] arguments, List<Tensor> outputs)
            {
                Check(lb_function_save(node, Raw(context.ToSave), context.ToSave.Count));
                nint[] handles = Raw(outputs), dirty = Raw(context.Dirty), constants = Raw(context.NonDifferentiable);
                Check(lb_function_end(
                    node, Raw(arguments), arguments.Length, handles, handles.Length, dirty, dirty.Length, constants, constants.Length, context.MaterializeGrads ? 1 : 0));
                for (int i = 0; i < handles.Length; i++)
                {
                    if (handles[i] != 0) outputs[i] = new Tensor(handles[i]);
                }

                // The node has its own references now, which go with the graph; these would keep them longer.
                GC.KeepAlive(context.ToSave);
                context.save_for_backward([]);
                context.mark_dirty([]);
                context.mark_non_differentiable([]);
            }
        }

        /// <summary>A function of one output.</summary>
        public abstract class SingleTensorFunction<T> : Function<T>
            where T : SingleTensorFunction<T>, new()
        {
            protected SingleTensorFunction()
            {
            }

            public abstract Tensor forward(AutogradContext ctx, params object[] vars);

            /// <returns>One gradient an argument of forward; null for what is no tensor or needs none.</returns>
            public abstract List<Tensor> backward(AutogradContext ctx, Tensor grad_output);

            public static Tensor apply(params object[] vars) => apply_internal(vars)[0];

            internal override List<Tensor> RunForward(AutogradContext context, object[] vars) => [forward(context, vars)];

            internal override List<Tensor> RunBackward(AutogradContext context, List<Tensor> gradients) => backward(context, gradients[0]);
        }

        /// <summary>A function of several outputs.</summary>
        public abstract class MultiTensorFunction<T> : Function<T>
            where T : MultiTensorFunction<T>, new()
        {
            protected MultiTensorFunction()
            {
            }

            public abstract List<Tensor> forward(AutogradContext ctx, params object[] vars);

            /// <returns>One gradient an argument of forward; null for what is no tensor or needs none.</returns>
            public abstract List<Tensor> backward(AutogradContext ctx, List<Tensor> grad_outputs);

            public static List<Tensor> apply(params object[] vars) => apply_internal(vars);

            internal override List<Tensor> RunForward(AutogradContext context, object[] vars) => forward(context, vars);

            internal override List<Tensor> RunBackward(AutogradContext context, List<Tensor> gradients) => backward(context, gradients);
        }
    }
}
