// The base of all modules: named parameters, buffers and submodules, found by reflection over the fields.
using System.Reflection;
using TorchSharp.Modules;

namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>A node of a network. A derived class calls <see cref="RegisterComponents"/> at the end of its constructor.</summary>
        public class Module : IDisposable
        {
            private readonly List<(string Name, Parameter Value)> _parameterList = [];
            private readonly List<(string Name, Tensor Value, bool IsPersistent)> _bufferList = [];
            private readonly List<(string Name, Module Value)> _moduleList = [];
            private readonly string _name;
            private bool _isTraining = true;

            protected Module(string name) => _name = name;

            public virtual string GetName() => _name;

            public virtual bool training => _isTraining;

            public virtual void train(bool train = true)
            {
                _isTraining = train;
                foreach ((_, Module module) in _moduleList) module.train(train);
            }

            public virtual void eval() => train(false);

            public virtual void register_parameter(string name, Parameter param) => Put(_parameterList, name, param);

            public virtual void register_module(string name, Module submodule) => Put(_moduleList, name, submodule);

            public void add_module(string name, Module module) => register_module(name, module);

            public virtual void register_buffer(string name, Tensor tensor, bool persistent = true)
            {
                int at = _bufferList.FindIndex(entry => entry.Name == name);
                if (at >= 0) _bufferList[at] = (name, tensor, persistent);
                else if (tensor is not null) _bufferList.Add((name, tensor, persistent));
            }

            /// <summary>Registers every field that is a module, a parameter or a tensor, private ones too, by the field's name.</summary>
            protected virtual void RegisterComponents()
            {
                foreach (FieldInfo field in GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
                {
                    if (field.DeclaringType == typeof(Module)) continue;
                    switch (field.GetValue(this))
                    {
                        case Module module: register_module(field.Name, module); break;
                        case Parameter parameter: register_parameter(field.Name, parameter); break;
                        case Tensor tensor: register_buffer(field.Name, tensor); break;
                        default: break;
                    }
                }
            }

            protected void ClearModules() => _moduleList.Clear();

            public virtual IEnumerable<(string name, Module module)> named_children() => _moduleList.Select(entry => (entry.Name, entry.Value));

            public virtual IEnumerable<Module> children() => _moduleList.Select(entry => entry.Value);

            public virtual IEnumerable<(string name, Module module)> named_modules() =>
                _moduleList.SelectMany(entry => entry.Value.named_modules().Select(inner => (entry.Name + "." + inner.name, inner.module)).Prepend((entry.Name, entry.Value)));

            public virtual IEnumerable<Module> modules() => _moduleList.SelectMany(entry => entry.Value.modules().Prepend(entry.Value));

            public virtual IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true)
            {
                foreach ((string name, Parameter value) in _parameterList) yield return (name, value);
                if (!recurse) yield break;
                foreach ((string name, Module module) in _moduleList)
                {
                    foreach ((string inner, Parameter value) in module.named_parameters()) yield return (name + "." + inner, value);
                }
            }

            public virtual IEnumerable<Parameter> parameters(bool recurse = true) => named_parameters(recurse).Select(entry => entry.parameter);

            public virtual IEnumerable<(string name, Tensor buffer)> named_buffers(bool recurse = true, bool include_nonpersistent = true)
            {
                foreach ((string name, Tensor value, bool isPersistent) in _bufferList)
                {
                    if (isPersistent || include_nonpersistent) yield return (name, value);
                }

                if (!recurse) yield break;
                foreach ((string name, Module module) in _moduleList)
                {
                    foreach ((string inner, Tensor value) in module.named_buffers(true, include_nonpersistent)) yield return (name + "." + inner, value);
                }
            }

            public virtual IEnumerable<Tensor> buffers(bool recurse = true, bool include_nonpersistent = true) =>
                named_buffers(recurse, include_nonpersistent).Select(entry => entry.buffer);

            /// <summary>The parameters and persistent buffers by name; the tensors are the module's own.</summary>
            public virtual Dictionary<string, Tensor> state_dict(Dictionary<string, Tensor> destination = null, string prefix = null)
            {
                Dictionary<string, Tensor> result = destination ?? [];
                string start = string.IsNullOrEmpty(prefix) ? string.Empty : prefix + ".";
                foreach ((string name, Parameter value) in named_parameters()) result[start + name] = value;
                foreach ((string name, Tensor value) in named_buffers(true, include_nonpersistent: false)) result[start + name] = value;
                return result;
            }

            /// <summary>Copies the tensors of a dictionary into the module's.</summary>
            /// <exception cref="ArgumentException">With <paramref name="strict"/>: a name is missing or unknown.</exception>
            public virtual (IList<string> missing_keys, IList<string> unexpected_keyes) load_state_dict(
                Dictionary<string, Tensor> source, bool strict = true, IList<string> skip = null)
            {
                Dictionary<string, Tensor> own = state_dict();
                string[] missing = [.. own.Keys.Where(name => !source.ContainsKey(name) && skip?.Contains(name) != true)];
                string[] unexpected = [.. source.Keys.Where(name => !own.ContainsKey(name) && skip?.Contains(name) != true)];
                if (strict && missing.Length + unexpected.Length > 0)
                    throw new ArgumentException($"load_state_dict: missing [{string.Join(", ", missing)}], unexpected [{string.Join(", ", unexpected)}]", nameof(source));
                using IDisposable mode = no_grad();
                foreach ((string name, Tensor value) in own)
                {
                    if (source.TryGetValue(name, out Tensor given) && skip?.Contains(name) != true) value.copy_(given);
                }

                return (missing, unexpected);
            }

            public virtual Parameter get_parameter(string target) => named_parameters().FirstOrDefault(entry => entry.name == target).parameter;

            public virtual Tensor get_buffer(string target) => named_buffers().FirstOrDefault(entry => entry.name == target).buffer;

            public virtual bool has_parameter(string target) => get_parameter(target) is not null;

            public virtual bool has_buffer(string target) => get_buffer(target) is not null;

            public virtual Module apply(Action<Module> fn)
            {
                foreach (Module module in children()) module.apply(fn);
                fn(this);
                return this;
            }

            public virtual void zero_grad(bool set_to_none = true)
            {
                foreach (Parameter parameter in parameters()) parameter.ZeroGrad(set_to_none);
            }

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected virtual void Dispose(bool disposing)
            {
                if (!disposing) return;
                foreach ((_, Parameter value) in _parameterList) value.Dispose();
                foreach ((_, Tensor value, _) in _bufferList) value.Dispose();
                foreach ((_, Module module) in _moduleList) module.Dispose();
            }

            // Replaces parameters and buffers, as TorchSharp does: an optimizer is built afterwards. Integer buffers keep their type.
            internal void Move(ScalarType? type, Device device)
            {
                using IDisposable mode = no_grad();
                for (int i = 0; i < _parameterList.Count; i++)
                {
                    (string name, Parameter value) = _parameterList[i];
                    Tensor moved = MovedTensor(value, type, device);
                    if (ReferenceEquals(moved, value)) continue;
                    var replacement = new Parameter(moved.detach(), value.requires_grad);
                    if (value.OwningScope is null) replacement.DetachFromDisposeScope();
                    moved.Dispose();
                    Replace(value, replacement);
                    _parameterList[i] = (name, replacement);
                }

                for (int i = 0; i < _bufferList.Count; i++)
                {
                    (string name, Tensor value, bool isPersistent) = _bufferList[i];
                    Tensor moved = MovedTensor(value, value.is_floating_point() ? type : null, device);
                    if (ReferenceEquals(moved, value)) continue;
                    if (value.OwningScope is null) moved.DetachFromDisposeScope();
                    Replace(value, moved);
                    _bufferList[i] = (name, moved, isPersistent);
                }

                foreach ((_, Module module) in _moduleList) module.Move(type, device);
            }

            private static Tensor MovedTensor(Tensor value, ScalarType? type, Device device) =>
                device is null ? value.to(type ?? value.dtype) : value.to(type ?? value.dtype, device);

            // The fields that hold the old tensor get the new one.
            private void Replace(Tensor old, Tensor replacement)
            {
                foreach (FieldInfo field in GetType().GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
                {
                    if (field.DeclaringType != typeof(Module) && ReferenceEquals(field.GetValue(this), old)) field.SetValue(this, replacement);
                }

                old.Dispose();
            }

            private static void Put<T>(List<(string Name, T Value)> entries, string name, T value)
                where T : class
            {
                int at = entries.FindIndex(entry => entry.Name == name);
                if (at >= 0) entries[at] = (name, value);
                else if (value is not null) entries.Add((name, value));
            }
        }

        public class HookableModule<TPreHook, TPostHook> : Module
        {
            protected HookableModule(string name)
                : base(name)
            {
            }
        }

        public interface IModule<T, TResult>
        {
            TResult call(T input1);
        }

        /// <summary>A module with one argument.</summary>
        public abstract class Module<T, TResult> : HookableModule<Func<Module<T, TResult>, T, T>, Func<Module<T, TResult>, T, TResult, TResult>>, IModule<T, TResult>
        {
            protected Module(string name)
                : base(name)
            {
            }

            public abstract TResult forward(T input);

            public TResult call(T input) => forward(input);
        }

        public static Parameter Parameter(Tensor data, bool requires_grad = true) => new(data, requires_grad);
    }
}

/// <summary>Moving a module: the module itself is changed and returned.</summary>
public static class ModuleExtensionMethods
{
    public static T to<T>(this T module, torch.ScalarType type, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, type, null);

    public static T to<T>(this T module, torch.Device device, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, null, device);

    public static T to<T>(this T module, torch.Device device, torch.ScalarType type, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, type, device);

    public static T to<T>(this T module, DeviceType deviceType, int deviceIndex = -1, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, null, new torch.Device(deviceType, deviceIndex));

    public static T to<T>(this T module, string device, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, null, new torch.Device(device));

    public static T cpu<T>(this T module, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, null, torch.CPU);

    public static T cuda<T>(this T module, int deviceIndex = -1, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, null, new torch.Device(DeviceType.CUDA, deviceIndex));

    public static T bfloat16<T>(this T module, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, torch.ScalarType.BFloat16, null);

    public static T half<T>(this T module, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, torch.ScalarType.Float16, null);

    public static T @float<T>(this T module, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, torch.ScalarType.Float32, null);

    public static T @double<T>(this T module, bool non_blocking = false)
        where T : torch.nn.Module => Moved(module, torch.ScalarType.Float64, null);

    private static T Moved<T>(T module, torch.ScalarType? type, torch.Device device)
        where T : torch.nn.Module
    {
        module.Move(type, device);
        return module;
    }
}
