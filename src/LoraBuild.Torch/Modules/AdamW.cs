// AdamW: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.
using LoraBuild.Torch.Native;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace TorchSharp.Modules
{
    /// <summary>Adam with the decay applied to the weights and not to the gradients. The state has the parameters' dtype.</summary>
    public class AdamW : OptimizerHelper, optim.IBetas
    {
        private readonly Options _default;

        public AdamW(
            IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-08, double weight_decay = 0,
            bool amsgrad = false, bool maximize = false)
            : this([new ParamGroup { Parameters = parameters }], lr, beta1, beta2, eps, weight_decay, amsgrad, maximize)
        {
        }

        /// <exception cref="ArgumentException">A parameter twice, or a value out of its range.</exception>
        public AdamW(
            IEnumerable<ParamGroup> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-08, double weight_decay = 0,
            bool amsgrad = false, bool maximize = false)
        {
            if (lr < 0) throw new ArgumentException($"AdamW: lr must be ≥ 0, got {lr}", nameof(lr));
            if (beta1 is < 0 or >= 1) throw new ArgumentException($"AdamW: beta1 must be in [0, 1), got {beta1}", nameof(beta1));
            if (beta2 is < 0 or >= 1) throw new ArgumentException($"AdamW: beta2 must be in [0, 1), got {beta2}", nameof(beta2));
            if (eps < 0) throw new ArgumentException($"AdamW: eps must be ≥ 0, got {eps}", nameof(eps));
            if (weight_decay < 0) throw new ArgumentException($"AdamW: weight_decay must be ≥ 0, got {weight_decay}", nameof(weight_decay));
            _default = new Options
            {
                LearningRate = lr,
                InitialLearningRate = lr,
                beta1 = beta1,
                beta2 = beta2,
                eps = eps,
                weight_decay = weight_decay,
                amsgrad = amsgrad,
                maximize = maximize,
            };
            foreach (ParamGroup group in parameters) Add(group);
        }

        public (double, double) Betas
        {
            get => (_default.beta1.Value, _default.beta2.Value);
            set
            {
                (_default.beta1, _default.beta2) = value;
                foreach (ParamGroup group in Groups.Cast<ParamGroup>()) group.Betas = value;
            }
        }

        public override void add_param_group(Modules.ParamGroup param_group) => Add((ParamGroup)param_group);

        /// <summary>One update of every parameter that has a gradient.</summary>
        /// <param name="closure">Computes the loss first; its value is returned.</param>
        public override Tensor step(Func<Tensor> closure = null)
        {
            Tensor loss = null;
            if (closure is not null)
            {
                using IDisposable mode = enable_grad();
                loss = closure();
            }

            foreach (ParamGroup group in Groups.Cast<ParamGroup>())
            {
                Options options = group.Options;
                foreach (Parameter parameter in group.Parameters)
                {
                    var state = (State)StateOf(parameter);
                    if (!HasGradient(parameter)) continue;
                    state.step++;
                    var numbers = new AdamWStep
                    {
                        LearningRate = options.LearningRate.Value,
                        Beta1 = options.beta1.Value,
                        Beta2 = options.beta2.Value,
                        Epsilon = options.eps.Value,
                        WeightDecay = options.weight_decay.Value,
                        Step = state.step,
                        IsMaximizing = options.maximize.Value ? 1 : 0,
                    };
                    NativeCall.Check(NativeMethods.lb_adamw_step(
                        parameter.handle, state.exp_avg.handle, state.exp_avg_sq.handle, Tensor.HandleOf(state.max_exp_avg_sq), in numbers));
                }
            }

            return loss;
        }

        private static bool HasGradient(Parameter parameter)
        {
            using Tensor gradient = parameter.grad;
            return gradient is not null;
        }

        // What a group does not say is as the optimizer's own options say.
        private void Add(ParamGroup group)
        {
            Options options = group.Options ?? new Options();
            options.LearningRate ??= _default.LearningRate;
            options.beta1 ??= _default.beta1;
            options.beta2 ??= _default.beta2;
            options.eps ??= _default.eps;
            options.weight_decay ??= _default.weight_decay;
            options.amsgrad ??= _default.amsgrad;
            options.maximize ??= _default.maximize;
            options.InitialLearningRate = options.LearningRate.Value;
            group.Options = options;
            group.Parameters = [.. group.Parameters];
            base.add_param_group(group);
            foreach (Parameter parameter in group.Parameters)
            {
                var state = new State(parameter);
                state.Initialize(options);
                AddState(parameter, state);
            }
        }

        public class Options : OptimizerOptions
        {
            public double? beta1;
            public double? beta2;
            public double? eps;
            public double? weight_decay;
            public bool? amsgrad;
            public bool? maximize;

            public override void LoadStateDict(OptimizerOptions source)
            {
                base.LoadStateDict(source);
                var other = (Options)source;
                (beta1, beta2, eps, weight_decay, amsgrad, maximize) = (other.beta1, other.beta2, other.eps, other.weight_decay, other.amsgrad, other.maximize);
            }
        }

        public class ParamGroup : ParamGroup<Options>, optim.IBetas
        {
            public ParamGroup()
            {
            }

            public ParamGroup(IEnumerable<Parameter> parameters, Options options)
                : base(parameters, options)
            {
            }

            public ParamGroup(
                IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-08, double weight_decay = 0,
                bool amsgrad = false, bool maximize = false)
                : base(
                    parameters,
                    new Options
                    {
                        LearningRate = lr,
                        InitialLearningRate = lr,
                        beta1 = beta1,
                        beta2 = beta2,
                        eps = eps,
                        weight_decay = weight_decay,
                        amsgrad = amsgrad,
                        maximize = maximize,
                    })
            {
            }

            public (double, double) Betas
            {
                get => (Options.beta1.Value, Options.beta2.Value);
                set => (Options.beta1, Options.beta2) = value;
            }
        }

        /// <summary>Moments of one parameter's gradients. They outlive dispose scopes.</summary>
        public sealed class State : OptimizerState, IDisposable
        {
            public long step;
            public Tensor exp_avg;
            public Tensor exp_avg_sq;
            public Tensor max_exp_avg_sq;

            public State(Parameter parameter)
                : base(parameter)
            {
            }

            public override void Initialize(OptimizerOptions options)
            {
                using IDisposable mode = no_grad();
                step = 0;
                Dispose();
                exp_avg = Zeros();
                exp_avg_sq = Zeros();
                max_exp_avg_sq = ((Options)options).amsgrad == true ? Zeros() : null;
            }

            public override void LoadStateDict(OptimizerState source)
            {
                var other = (State)source;
                if (ReferenceEquals(this, other)) return;
                step = other.step;
                exp_avg.copy_(other.exp_avg);
                exp_avg_sq.copy_(other.exp_avg_sq);
                max_exp_avg_sq?.copy_(other.max_exp_avg_sq);
            }

            public void Dispose()
            {
                exp_avg?.Dispose();
                exp_avg_sq?.Dispose();
                max_exp_avg_sq?.Dispose();
            }

            internal override void DisposeTensors() => Dispose();

            private Tensor Zeros() => zeros_like(_parameter).DetachFromDisposeScope();
        }
    }
}

namespace TorchSharp
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static AdamW AdamW(
                IEnumerable<Parameter> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-08, double weight_decay = 0,
                bool amsgrad = false, bool maximize = false) => new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            public static AdamW AdamW(
                IEnumerable<(string name, Parameter parameter)> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-08,
                double weight_decay = 0, bool amsgrad = false, bool maximize = false) =>
                new(parameters.Select(entry => entry.parameter), lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);

            public static AdamW AdamW(
                IEnumerable<AdamW.ParamGroup> parameters, double lr = 0.001, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-08, double weight_decay = 0,
                bool amsgrad = false, bool maximize = false) => new(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize);
        }
    }
}
