// Who disposes which tensor when.
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Torch;

public sealed class DisposeScopeTests
{
    [Fact]
    public void A_scope_disposes_what_was_made_in_it_but_not_what_was_moved_out()
    {
        Tensor outside = ones(1), kept, gone, moved;
        using (var outer = NewDisposeScope())
        {
            using (var inner = NewDisposeScope())
            {
                gone = ones(1);
                moved = ones(1).MoveToOuterDisposeScope();
                kept = ones(1).DetachFromDisposeScope();
                Assert.Equal(1, inner.DisposablesCount);
                Assert.Same(inner, CurrentDisposeScope);
            }

            Assert.True(gone.IsInvalid);
            Assert.False(moved.IsInvalid);
            Assert.True(outer.Contains(moved));
        }

        Assert.True(moved.IsInvalid);
        Assert.False(kept.IsInvalid);
        Assert.False(outside.IsInvalid);
        Assert.Null(CurrentDisposeScope);
        Assert.Throws<ObjectDisposedException>(() => gone.sum());
        kept.Dispose();
        outside.Dispose();
    }

    [Fact]
    public void Scopes_belong_to_their_thread_and_tensors_can_be_disposed_from_any()
    {
        using var scope = NewDisposeScope();
        Tensor here = ones(1), there = null!;
        var thread = new Thread(() =>
        {
            there = ones(1);
            here.Dispose();
        });
        thread.Start();
        thread.Join();
        Assert.True(here.IsInvalid);
        Assert.Equal(0, scope.DisposablesCount);
        Assert.False(scope.Contains(there));
        there.MoveToOtherDisposeScope(scope);
        Assert.Equal(1, scope.DisposablesCount);
    }

    [Fact]
    public void Closing_an_outer_scope_closes_the_inner_ones()
    {
        var outer = NewDisposeScope();
        NewDisposeScope();
        Tensor tensor = ones(1);
        outer.Dispose();
        Assert.True(tensor.IsInvalid);
        Assert.Null(CurrentDisposeScope);
    }

    [Fact]
    public void DisposeEverythingBut_keeps_what_it_is_told()
    {
        using var scope = NewDisposeScope();
        Tensor a = ones(1), b = ones(1);
        Assert.Same(a, scope.DisposeEverythingBut(a));
        Assert.False(a.IsInvalid);
        Assert.True(b.IsInvalid);
    }
}
