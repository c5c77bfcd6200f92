// What optimizers have in common: groups of parameters with options of their own, and a state for each parameter.
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public interface ILearningRateController
            {
                double LearningRate { get; set; }

                double InitialLearningRate { get; set; }
            }

            public interface IBetas
            {
                (double, double) Betas { get; set; }
            }

            public abstract class Optimizer : IDisposable
            {
                internal readonly List<ParamGroup> Groups = [];

                internal Optimizer()
                {
                }

                public virtual IEnumerable<ILearningRateController> ParamGroups => Groups;

                public virtual IEnumerable<Parameter> parameters() => Groups.SelectMany(group => group.Parameters);

                public virtual void zero_grad()
                {
                    foreach (Parameter parameter in parameters()) parameter.ZeroGrad(isSetToNone: true);
                }

                public virtual Tensor step(Func<Tensor> closure = null) => throw new NotSupportedException($"{GetType().Name} has no step");

                public virtual void add_param_group(ParamGroup param_group) => Groups.Add(param_group);

                public void Dispose()
                {
                    Dispose(true);
                    GC.SuppressFinalize(this);
                }

                protected virtual void Dispose(bool disposing)
                {
                }

                /// <summary>Options by group, states by parameter in the groups' order, and for each group the numbers of its states.</summary>
                public class StateDictionary
                {
                    internal StateDictionary()
                    {
                    }

                    public List<OptimizerOptions> Options { get; } = [];

                    public List<OptimizerState> State { get; } = [];

                    public List<List<int>> StateIndexRef { get; } = [];
                }
            }
        }
    }
}

namespace TorchSharp.Modules
{
    public class OptimizerOptions
    {
        public double? LearningRate { get; set; }

        public double InitialLearningRate { get; set; }

        public virtual void LoadStateDict(OptimizerOptions source)
        {
            LearningRate = source.LearningRate;
            InitialLearningRate = source.InitialLearningRate;
        }
    }

    public abstract class OptimizerState
    {
        internal OptimizerState(Parameter parameter) => _parameter = parameter;

        protected Parameter _parameter;

        public abstract void Initialize(OptimizerOptions options);

        public abstract void LoadStateDict(OptimizerState source);

        internal virtual void DisposeTensors()
        {
        }
    }

    public class ParamGroup : optim.ILearningRateController
    {
        public IEnumerable<Parameter> Parameters { get; set; }

        public OptimizerOptions Options { get; set; }

        public double LearningRate
        {
            get => Options.LearningRate ?? 0;
            set => Options.LearningRate = value;
        }

        public double InitialLearningRate
        {
            get => Options.InitialLearningRate;
            set => Options.InitialLearningRate = value;
        }
    }

    public class ParamGroup<TOptions> : ParamGroup
        where TOptions : OptimizerOptions
    {
        public ParamGroup()
        {
        }

        public ParamGroup(IEnumerable<Parameter> parameters, TOptions options = null)
        {
            base.Parameters = parameters;
            base.Options = options;
        }

        public new TOptions Options
        {
            get => (TOptions)base.Options;
            set => base.Options = value;
        }
    }

    public abstract class OptimizerHelper : optim.Optimizer
    {
        private readonly Dictionary<Parameter, OptimizerState> _states = new(ReferenceEqualityComparer.Instance);
        private readonly List<Parameter> _order = [];

        internal OptimizerHelper()
        {
        }

        internal OptimizerState StateOf(Parameter parameter) => _states[parameter];

        internal void AddState(Parameter parameter, OptimizerState state)
        {
            if (!_states.TryAdd(parameter, state)) throw new ArgumentException("a parameter is in the optimizer twice");
            _order.Add(parameter);
        }

        /// <summary>The states themselves, not copies.</summary>
        public virtual StateDictionary state_dict()
        {
            var result = new StateDictionary();
            result.State.AddRange(_order.Select(parameter => _states[parameter]));
            int next = 0;
            foreach (ParamGroup group in Groups)
            {
                result.Options.Add(group.Options);
                int count = group.Parameters.Count();
                result.StateIndexRef.Add([.. Enumerable.Range(next, count)]);
                next += count;
            }

            return result;
        }

        /// <exception cref="ArgumentException">The groups or the numbers of parameters differ.</exception>
        public virtual void load_state_dict(StateDictionary state_dict)
        {
            if (state_dict.Options.Count != Groups.Count || state_dict.State.Count != _order.Count)
                throw new ArgumentException(
                    $"load_state_dict: {state_dict.Options.Count} groups of {state_dict.State.Count} parameters for {Groups.Count} groups of {_order.Count}", nameof(state_dict));
            for (int i = 0; i < Groups.Count; i++) Groups[i].Options.LoadStateDict(state_dict.Options[i]);
            for (int i = 0; i < _order.Count; i++) _states[_order[i]].LoadStateDict(state_dict.State[i]);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                foreach (OptimizerState state in _states.Values) state.DisposeTensors();
                _states.Clear();
                _order.Clear();
            }

            base.Dispose(disposing);
        }
    }
}
