// NEFTune's noise: its size, its generator, and where it must not be.
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Models;

public sealed class NeftuneNoiseTests
{
    [Fact]
    public void Noise_is_uniform_within_alpha_over_the_root_of_length_times_width_of_its_own_document()
    {
        using NeftuneNoise noise = new(5);
        noise.SetSeed(9);
        using PackedBatch batch = PackedBatch.FromDocuments([new int[100], new int[400]]);
        using Tensor input = zeros(500, 64);
        using Tensor drawn = noise.Draw(batch, input)!;
        float[] values = TensorTypes.ToFloat32Array(drawn);
        Within(values.AsSpan(0, 100 * 64).ToArray(), 5 / Math.Sqrt(100 * 64));
        Within(values.AsSpan(100 * 64).ToArray(), 5 / Math.Sqrt(400 * 64));

        static void Within(float[] values, double bound)
        {
            Assert.InRange(values.Max(), 0.99 * bound, bound);
            Assert.InRange(values.Min(), -bound, -0.99 * bound);
            Assert.Equal(0, values.Average(), bound * 0.05);
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_noise_and_there_is_none_without_gradients_or_seed()
    {
        using NeftuneNoise noise = new(5);
        using PackedBatch batch = PackedBatch.FromDocuments([new int[3]]);
        using Tensor input = zeros(3, 8);
        Assert.Null(noise.Draw(batch, input));
        float[] Draw(long seed)
        {
            noise.SetSeed(seed);
            using Tensor drawn = noise.Draw(batch, input)!;
            return TensorTypes.ToFloat32Array(drawn);
        }

        float[] first = Draw(1);
        Assert.NotEqual(first, Draw(2));
        Assert.Equal(first, Draw(1));
        using (no_grad())
            Assert.Null(noise.Draw(batch, input));
    }

    [Fact]
    public void A_model_computes_with_noise_while_training_and_without_it_otherwise()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using PackedBatch batch = PackedBatch.FromDocuments([new int[] { 1, 2, 3, 4 }]);
        float[] Hidden()
        {
            using Tensor hidden = model.HiddenStates(batch);
            return TensorTypes.ToFloat32Array(hidden);
        }

        float[] plain = Hidden();
        using NeftuneNoise noise = new(5);
        noise.SetSeed(1);
        model.InputNoise = noise;
        Assert.NotEqual(plain, Hidden());
        using (no_grad())
            Assert.Equal(plain, Hidden());
    }
}
