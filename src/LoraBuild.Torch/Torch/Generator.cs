// Sources of random numbers.
using LoraBuild.Torch.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>The state of a random number generator (Mersenne twister on the CPU).</summary>
    public class Generator : IDisposable
    {
        internal readonly GeneratorHandle handle;

        public Generator(ulong seed = 0, Device device = null)
        {
            this.device = device ?? CPU;
            NativeCall.Check(NativeMethods.lb_generator_new(unchecked((long)seed), (int)this.device.type, this.device.index, out nint value));
            handle = new GeneratorHandle(value);
        }

        private Generator(nint value)
        {
            device = CPU;
            handle = new GeneratorHandle(value);
        }

        /// <summary>The CPU's default generator, which <see cref="torch.manual_seed"/> sets.</summary>
        public static Generator Default
        {
            get
            {
                NativeCall.Check(NativeMethods.lb_generator_default(out nint value));
                return new Generator(value);
            }
        }

        public Device device { get; }

        public IntPtr Handle => handle.DangerousGetHandle();

        public Generator manual_seed(long seed)
        {
            NativeCall.Check(NativeMethods.lb_generator_seed(handle, seed));
            return this;
        }

        /// <summary>Takes a new seed from the system's entropy and returns it.</summary>
        public long seed()
        {
            NativeCall.Check(NativeMethods.lb_generator_reseed(handle, out long result));
            return result;
        }

        public long initial_seed()
        {
            NativeCall.Check(NativeMethods.lb_generator_initial_seed(handle, out long result));
            return result;
        }

        /// <summary>A byte tensor with the whole state.</summary>
        public Tensor get_state() => NativeCall.Wrap(NativeMethods.lb_generator_get_state(handle, out nint state), state);

        public void set_state(Tensor value) => NativeCall.Check(NativeMethods.lb_generator_set_state(handle, value.handle));

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (disposing) handle.Dispose();
        }
    }

    internal static GeneratorHandle HandleOf(Generator generator) => generator is null ? GeneratorHandle.None : generator.handle;

    /// <summary>Seeds the default generators of all devices.</summary>
    public static Generator manual_seed(long seed)
    {
        NativeCall.Check(NativeMethods.lb_manual_seed(seed));
        return Generator.Default;
    }

    public static void set_rng_state(Tensor new_state)
    {
        using Generator generator = Generator.Default;
        generator.set_state(new_state);
    }

    public static class random
    {
        public static Generator manual_seed(long seed) => torch.manual_seed(seed);

        public static Tensor get_rng_state()
        {
            using Generator generator = Generator.Default;
            return generator.get_state();
        }

        public static void set_rng_state(Tensor new_state) => torch.set_rng_state(new_state);
    }
}
