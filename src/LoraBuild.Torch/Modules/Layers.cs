// The modules that models are put together from: Linear, Embedding, Dropout, ModuleList.
using System.Collections;
using static LoraBuild.Torch.Native.NativeCall;
using static LoraBuild.Torch.Native.NativeMethods;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    public interface IParameterLessModule
    {
    }

    public abstract class ParameterLessModule<T1, TResult> : nn.Module<T1, TResult>, IParameterLessModule
    {
        protected ParameterLessModule(string name)
            : base(name)
        {
        }
    }

    /// <summary>y = x Wᵀ + b. Its weights outlive dispose scopes.</summary>
    public sealed class Linear : nn.Module<Tensor, Tensor>
    {
        private Parameter _weight;
        private Parameter _bias;

        internal Linear(Parameter weight, Parameter bias)
            : base(nameof(Linear))
        {
            this.weight = weight;
            this.bias = bias;
            in_features = weight.size(1);
            out_features = weight.size(0);
        }

        public long in_features { get; set; }

        public long out_features { get; set; }

        /// <summary>[out, in]</summary>
        public Parameter weight
        {
            get => _weight;
            set => register_parameter(nameof(weight), _weight = Kept(value));
        }

        /// <summary>[out] or null</summary>
        public Parameter bias
        {
            get => _bias;
            set => register_parameter(nameof(bias), _bias = Kept(value));
        }

        public override Tensor forward(Tensor tensor) => nn.functional.linear(tensor, _weight, _bias);

        internal static Parameter Kept(Parameter parameter)
        {
            parameter?.DetachFromDisposeScope();
            return parameter;
        }
    }

    /// <summary>Rows of a table by their numbers. Its weights outlive dispose scopes.</summary>
    public sealed class Embedding : nn.Module<Tensor, Tensor>
    {
        private readonly long _paddingIndex;
        private Parameter _weight;

        internal Embedding(Parameter weight, long? paddingIndex)
            : base(nameof(Embedding))
        {
            this.weight = weight;
            _paddingIndex = paddingIndex ?? -1;
        }

        /// <summary>[embeddings, features]</summary>
        public Parameter weight
        {
            get => _weight;
            set => register_parameter(nameof(weight), _weight = Linear.Kept(value));
        }

        public override Tensor forward(Tensor input) => Wrap(lb_embedding(_weight.handle, input.handle, _paddingIndex, out nint r), r);
    }

    /// <summary>Zeroes elements with probability p while training and scales the others by 1/(1 - p).</summary>
    public sealed class Dropout : ParameterLessModule<Tensor, Tensor>
    {
        internal Dropout(double p, bool inplace)
            : base(nameof(Dropout))
        {
            this.p = p;
            this.inplace = inplace;
        }

        public double p { get; set; }

        public bool inplace { get; set; }

        public override Tensor forward(Tensor tensor) => nn.functional.dropout(tensor, p, training, inplace);
    }

    /// <summary>A list of modules, registered by their positions.</summary>
    public class ModuleList<T> : nn.Module, IList<T>
        where T : nn.Module
    {
        private readonly List<T> _list = [];

        public ModuleList(params T[] modules)
            : base(nameof(ModuleList<T>))
        {
            _list.AddRange(modules);
            RegisterComponents();
        }

        public int Count => _list.Count;

        public bool IsReadOnly => false;

        public T this[int index]
        {
            get => _list[index];
            set
            {
                _list[index] = value;
                RegisterComponents();
            }
        }

        public void Add(T item)
        {
            _list.Add(item);
            RegisterComponents();
        }

        public void append(params T[] parameters) => extend(parameters);

        public void extend(IEnumerable<T> modules)
        {
            _list.AddRange(modules);
            RegisterComponents();
        }

        public void Insert(int index, T item)
        {
            _list.Insert(index, item);
            RegisterComponents();
        }

        public bool Remove(T item)
        {
            bool isFound = _list.Remove(item);
            RegisterComponents();
            return isFound;
        }

        public void RemoveAt(int index)
        {
            _list.RemoveAt(index);
            RegisterComponents();
        }

        public void Clear()
        {
            _list.Clear();
            RegisterComponents();
        }

        public bool Contains(T item) => _list.Contains(item);

        public int IndexOf(T item) => _list.IndexOf(item);

        public void CopyTo(T[] array, int arrayIndex) => _list.CopyTo(array, arrayIndex);

        public IEnumerator<T> GetEnumerator() => _list.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        protected override void RegisterComponents()
        {
            ClearModules();
            for (int i = 0; i < _list.Count; i++) register_module(i.ToString(System.Globalization.CultureInfo.InvariantCulture), _list[i]);
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Modules.Linear Linear(long inputSize, long outputSize, bool hasBias = true, Device device = null, ScalarType? dtype = null)
            {
                var weight = new Modules.Parameter(empty(outputSize, inputSize, dtype, device));
                init.kaiming_uniform_(weight, Math.Sqrt(5));
                Modules.Parameter bias = null;
                if (hasBias)
                {
                    bias = new Modules.Parameter(empty(outputSize, dtype, device));
                    double bound = inputSize > 0 ? 1 / Math.Sqrt(inputSize) : 0;
                    init.uniform_(bias, -bound, bound);
                }

                return new Modules.Linear(weight, bias);
            }

            public static Modules.Linear Linear(Modules.Parameter weight, Modules.Parameter bias = null) => new(weight, bias);

            /// <exception cref="NotSupportedException">max_norm, scale_grad_by_freq or sparse were asked for.</exception>
            public static Modules.Embedding Embedding(
                long num_embeddings, long embedding_dims, long? padding_idx = null, double? max_norm = null, double norm_type = 2,
                bool scale_grad_by_freq = false, bool sparse = false, Device device = null, ScalarType? dtype = null)
            {
                if (max_norm is not null || scale_grad_by_freq || sparse)
                    throw new NotSupportedException("Embedding: max_norm, scale_grad_by_freq and sparse are not supported");
                var weight = new Modules.Parameter(empty(num_embeddings, embedding_dims, dtype, device));
                init.normal_(weight);
                if (padding_idx is long row)
                {
                    using IDisposable mode = no_grad();
                    using Tensor padding = weight[row];
                    padding.zero_();
                }

                return new Modules.Embedding(weight, padding_idx);
            }

            public static Modules.Dropout Dropout(double p = 0.5, bool inplace = false) => new(p, inplace);

            public static Modules.ModuleList<Module> ModuleList(params Module[] modules) => new(modules);
        }
    }
}
