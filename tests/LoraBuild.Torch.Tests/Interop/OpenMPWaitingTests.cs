// Threads that wait go to sleep soon, unless the user says otherwise.
using LoraBuild.Torch.Native;

namespace LoraBuild.Torch.Tests.Interop;

public sealed class OpenMPWaitingTests
{
    [Theory]
    [InlineData(null, null, "GOMP_SPINCOUNT=1000")]
    [InlineData("0", null, null)]
    [InlineData(null, "ACTIVE", null)]
    [InlineData("", "", "GOMP_SPINCOUNT=1000")]
    public void What_the_user_has_set_stays(string? spinCount, string? policy, string? expected)
    {
        string? written = null;
        OpenMPWaiting.Limit(name => (name == "GOMP_SPINCOUNT" ? spinCount : policy)!, (name, value) => written = $"{name}={value}");
        Assert.Equal(expected, written);
    }
}
