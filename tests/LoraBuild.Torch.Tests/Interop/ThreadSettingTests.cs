// The number of threads that was set stays, whatever is called for the first time afterwards.
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Interop;

public sealed class ThreadSettingTests
{
    [Fact]
    public void Functions_that_are_called_for_the_first_time_leave_the_number_of_threads_alone()
    {
        int before = get_num_threads();
        try
        {
            set_num_threads(before + 1);
            // The runtime asks the loader for the library at the first call of each function, and these are called by no other test.
            using Tensor matrix = eye(2);
            using Tensor parts = einsum("ij,jk->ik", matrix, matrix);
            Assert.True(get_num_interop_threads() >= 1);
            Assert.Equal(before + 1, get_num_threads());
        }
        finally
        {
            set_num_threads(before);
        }
    }
}
