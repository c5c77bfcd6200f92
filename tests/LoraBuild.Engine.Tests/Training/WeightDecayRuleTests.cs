// Decay by name.
using LoraBuild.Engine.Training;

namespace LoraBuild.Engine.Tests.Training;

public sealed class WeightDecayRuleTests
{
    [Theory]
    [InlineData("model.layers.0.input_layernorm.weight", false)]
    [InlineData("model.norm.weight", false)]
    [InlineData("model.layers.1.self_attn.q_norm.weight", false)]
    [InlineData("model.layers.1.self_attn.q_proj.bias", false)]
    [InlineData("model.layers.1.self_attn.q_proj.weight", true)]
    [InlineData("model.embed_tokens.weight", true)]
    [InlineData("lm_head.weight", true)]
    [InlineData("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", true)]
    [InlineData("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", true)]
    [InlineData("model.normalizer.weight", true)]
    public void Norms_and_biases_do_not_decay(string name, bool decays) => Assert.Equal(decays, WeightDecayRule.Decays(name));
}
