// Registration of what a module has, and moving it.
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace LoraBuild.Torch.Tests.Modules;

public sealed class ModuleTests
{
    private sealed class Net : nn.Module<Tensor, Tensor>
    {
        private readonly Embedding embedding = nn.Embedding(10, 4);
        private readonly ModuleList<nn.Module> layers = nn.ModuleList(nn.Linear(4, 4), nn.Linear(4, 2, hasBias: false));
        private readonly Dropout dropout = nn.Dropout(0.5);
        private readonly Parameter scale = new(ones(2));
        private readonly Tensor offset = zeros(2);

        internal Net()
            : base(nameof(Net)) => RegisterComponents();

        internal Parameter Scale => scale;

        public override Tensor forward(Tensor input)
        {
            Tensor x = dropout.forward(embedding.forward(input));
            foreach (nn.Module layer in layers) x = ((Linear)layer).forward(x);
            return x * scale + offset;
        }
    }

    [Fact]
    public void Fields_are_registered_by_their_names()
    {
        using var net = new Net();
        Assert.Equal(
            ["embedding.weight", "layers.0.bias", "layers.0.weight", "layers.1.weight", "scale"],
            net.named_parameters().Select(entry => entry.name).Order(StringComparer.Ordinal));
        Assert.Equal("offset", Assert.Single(net.named_buffers()).name);
        Assert.Equal(6, net.state_dict().Count);
        Assert.True(net.has_parameter("layers.1.weight"));
    }

    [Fact]
    public void Dropout_acts_only_while_training()
    {
        using var scope = NewDisposeScope();
        using var net = new Net();
        Tensor ids = arange(10);
        net.eval();
        Assert.True(net.call(ids).Equals(net.call(ids)));
        net.train();
        Assert.False(net.call(ids).Equals(net.call(ids)));
    }

    [Fact]
    public void Moving_replaces_the_parameters_and_the_fields()
    {
        using var scope = NewDisposeScope();
        using var net = new Net();
        Assert.Same(net, net.to(float64));
        Assert.All(net.parameters(), parameter => Assert.Equal(float64, parameter.dtype));
        Assert.Equal(float64, net.Scale.dtype);
        Assert.True(net.Scale.requires_grad);
        net.eval();
        Assert.Equal(float64, net.forward(arange(3)).dtype);
    }

    [Fact]
    public void A_state_is_loaded_by_name()
    {
        using Net a = new(), b = new();
        b.load_state_dict(a.state_dict());
        Assert.All(a.state_dict(), entry => Assert.True(entry.Value.Equals(b.state_dict()[entry.Key])));
        Assert.Throws<ArgumentException>(() => a.load_state_dict([]));
    }

    [Fact]
    public void Taking_a_tensor_as_a_parameter_leaves_it_invalid()
    {
        Tensor data = ones(2);
        using Parameter parameter = nn.Parameter(data);
        Assert.True(data.IsInvalid);
        Assert.True(parameter.requires_grad);
    }
}
