// The same seed gives the same numbers, and a state can be kept and put back.
using TorchSharp;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Torch;

public sealed class GeneratorTests
{
    [Fact]
    public void A_generator_is_reproducible()
    {
        using var scope = NewDisposeScope();
        using var a = new Generator(42);
        using var b = new Generator(42);
        Tensor first = randn(100, generator: a);
        Assert.True(first.Equals(randn(100, generator: b)));
        Assert.False(first.Equals(randn(100, generator: b)));
        Assert.True(randperm(50, generator: a.manual_seed(7)).Equals(randperm(50, generator: b.manual_seed(7))));
        Assert.Equal(7, a.initial_seed());
    }

    [Fact]
    public void A_state_can_be_put_back()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        rand(5, generator: generator);
        Tensor state = generator.get_state();
        Tensor next = rand(5, generator: generator);
        generator.set_state(state);
        Assert.True(next.Equals(rand(5, generator: generator)));
    }

    [Fact]
    public void Random_numbers_in_place_and_drawn_by_weight()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        Tensor normal = empty(10000).normal_(3, 0.5, generator);
        Assert.Equal(3, normal.mean().ToDouble(), 1);
        Assert.Equal(0.5, normal.std().ToDouble(), 1);
        Tensor uniform = empty(10000).uniform_(-1, 1, generator);
        Assert.InRange(uniform.max().ToDouble(), 0.99, 1);
        Tensor drawn = tensor(new[] { 0f, 1f, 0f }).multinomial(20, replacement: true, generator);
        Assert.True((drawn == 1).all().ToBoolean());
        Assert.True((randint(2, 5, [1000], generator: generator) < 5).all().ToBoolean());
    }
}
