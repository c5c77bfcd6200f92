// What is taken for a lack of memory, and what is not.
using System.Runtime.InteropServices;
using LoraBuild.Engine.Training.Memory;
#if NATIVE_KERNELS
using LoraBuild.Torch.Native;
#endif
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Training.Memory;

public sealed class OutOfMemoryTests
{
    [Fact]
    public void What_libtorch_throws_is_known_with_the_number_of_bytes()
    {
        ExternalException error = Assert.ThrowsAny<ExternalException>(() => empty([1L << 50], dtype: ScalarType.Float32));
        Assert.True(OutOfMemory.Is(error), error.Message);
        Assert.Equal(1L << 52, OutOfMemory.BytesAskedFor(error));
    }

    [Fact]
    public void So_is_what_NET_throws() => Assert.True(OutOfMemory.Is(new InsufficientMemoryException()));

    [Theory]
    [InlineData("CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 79.10 GiB total capacity)", (long)(2.5 * (1 << 30)))]
    [InlineData("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.10 GiB", 20L << 20)]
    [InlineData("[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 67108864 bytes. Error code 12 (Cannot allocate memory)", 1L << 26)]
    [InlineData("CUDA error: out of memory", null)]
    [InlineData("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", null)]
    [InlineData("std::bad_alloc", null)]
    [InlineData("out of memory", null)]
    [InlineData("unable to mmap 400 bytes from file </x>: Cannot allocate memory (12)", null)]
    public void Its_sentences_on_other_devices_are_known(string message, long? bytes)
    {
        LibtorchException error = new(message);
        Assert.True(OutOfMemory.Is(error));
        Assert.Equal(bytes, OutOfMemory.BytesAskedFor(error));
    }

    [Fact]
    public void Other_errors_are_not()
    {
        Exception shapes = Assert.ThrowsAny<Exception>(() => zeros(2, 3).mm(zeros(2, 3)));
        Assert.False(OutOfMemory.Is(shapes));
        Assert.False(OutOfMemory.Is(new LibtorchException("unable to mmap 4 bytes from file </x>: Permission denied (13)")));
        Assert.False(OutOfMemory.Is(new LibtorchException("a text about being out of memory")));
        Assert.False(OutOfMemory.Is(new IOException("CUDA out of memory")));
    }

#if NATIVE_KERNELS
    [Fact]
    public void What_failed_work_held_goes_back_to_the_system_before_the_next_try()
    {
        Exception? failure = OutOfMemory.During(() =>
        {
            zeros(1 << 24).Dispose(); // 64 MB that the allocator keeps for the next of that size
            Assert.True(NativeRuntime.TensorBytes.Reserved >= NativeRuntime.TensorBytes.Live + (1 << 26));
            _ = empty([1L << 50], dtype: ScalarType.Float32);
        });
        Assert.NotNull(failure);
        Assert.Equal(NativeRuntime.TensorBytes.Live, NativeRuntime.TensorBytes.Reserved);
    }
#endif

    [Fact]
    public void Work_that_is_done_or_fails_otherwise_is_left_alone()
    {
        int done = 0;
        Assert.Null(OutOfMemory.During(() => done++));
        Assert.Equal(1, done);
        Assert.Throws<IOException>(() => OutOfMemory.During(() => throw new IOException("CUDA out of memory")));
    }

    private sealed class LibtorchException(string message) : ExternalException(message);
}
