// Whether operations are recorded for a backward pass, for the current thread.
using LoraBuild.Torch.Native;

namespace TorchSharp;

public static partial class torch
{
    // The previous mode comes back on Dispose, once.
    private sealed class GradModeScope : IDisposable
    {
        private readonly int _previous;
        private bool _isDone;

        internal GradModeScope(bool isEnabled)
        {
            _previous = NativeMethods.lb_grad_enabled();
            NativeMethods.lb_set_grad_enabled(isEnabled ? 1 : 0);
        }

        public void Dispose()
        {
            if (_isDone) return;
            _isDone = true;
            NativeMethods.lb_set_grad_enabled(_previous);
        }
    }

    private sealed class InferenceModeScope : IDisposable
    {
        private nint _mode;

        internal InferenceModeScope(bool isEnabled) => NativeCall.Check(NativeMethods.lb_inference_mode_enter(isEnabled ? 1 : 0, out _mode));

        public void Dispose()
        {
            nint mode = Interlocked.Exchange(ref _mode, 0);
            if (mode != 0) NativeMethods.lb_inference_mode_leave(mode);
        }
    }

    public static IDisposable no_grad() => new GradModeScope(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradModeScope(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradModeScope(mode);

    public static bool is_grad_enabled() => NativeMethods.lb_grad_enabled() != 0;

    public static IDisposable inference_mode(bool mode = true) => new InferenceModeScope(mode);

    public static bool is_inference_mode_enabled() => NativeMethods.lb_inference_mode_enabled() != 0;

    public static int get_num_threads() => NativeMethods.lb_get_num_threads();

    public static void set_num_threads(int num) => NativeCall.Check(NativeMethods.lb_set_num_threads(num));

    public static int get_num_interop_threads() => NativeMethods.lb_get_num_interop_threads();

    public static void set_num_interop_threads(int num) => NativeCall.Check(NativeMethods.lb_set_num_interop_threads(num));
}
