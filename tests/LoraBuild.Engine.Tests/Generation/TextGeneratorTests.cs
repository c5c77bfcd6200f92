// Generation: the cache computes what a full pass computes; sampling, ends, cancelling.
using LoraBuild.Core.Diagnostics;
using LoraBuild.Engine.Generation;
using LoraBuild.Engine.Models;
using static TorchSharp.torch;

namespace LoraBuild.Engine.Tests.Generation;

public sealed class TextGeneratorTests
{
    private static readonly int[] Prompt = [5, 9, 12, 44, 7, 101, 3, 66];

    [Theory]
    [InlineData("llama-untied-rope3")]
    [InlineData("mistral-swa")]
    [InlineData("gemma3-text")]
    public void A_sequence_in_pieces_through_the_cache_equals_one_pass(string name)
    {
        using CausalLM model = CausalLM.Load(Golden.Model(name), new LoadOptions());
        using var noGrad = no_grad();
        int[] ids = [.. Enumerable.Range(0, 100).Select(i => (i * 37) % 200)]; // beyond the cache's first 64 places, and several windows
        using PackedBatch whole = PackedBatch.FromDocuments([ids]);
        using Tensor expected = model.HiddenStates(whole);
        using KeyValueCache cache = new(model.LayerCount);
        List<float> actual = [];
        int[] pieces = [1, 30, 1, 40, 28];
        foreach (int length in pieces)
        {
            long[] piece = [.. ids.Skip(cache.Length).Take(length).Select(i => (long)i)];
            long[] positions = [.. Enumerable.Range(cache.Length, length).Select(p => (long)p)];
            using PackedBatch batch = PackedBatch.Create(piece, positions, [0, length]);
            using Tensor hidden = model.HiddenStates(batch, cache);
            actual.AddRange(TensorTypes.ToFloat32Array(hidden));
        }

        GoldenTensors.AssertClose(TensorTypes.ToFloat32Array(expected), [.. actual], 5e-5, "hidden states"); // golden/README.md: hidden states
    }

    [Fact]
    public void An_end_token_ends_the_text_and_is_part_of_it()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        int[] free = TextGenerator.Generate(model, Prompt, new GenerationOptions { MaxNewTokens = 6 });
        List<int> seen = [];
        int[] ended = TextGenerator.Generate(model, Prompt, new GenerationOptions { MaxNewTokens = 6, EosTokenIds = [free[2]] }, seen.Add);
        Assert.Equal(free[..(Array.IndexOf(free, free[2]) + 1)], ended);
        Assert.Equal(ended, seen);
    }

    [Fact]
    public void Sampling_follows_its_seed_and_a_tiny_top_p_is_greedy()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        GenerationOptions hot = new() { MaxNewTokens = 12, Temperature = 3, Seed = 1 };
        int[] first = TextGenerator.Generate(model, Prompt, hot);
        Assert.Equal(first, TextGenerator.Generate(model, Prompt, hot));
        Assert.NotEqual(first, TextGenerator.Generate(model, Prompt, hot with { Seed = 2 }));
        Assert.Equal(
            TextGenerator.Generate(model, Prompt, hot with { Temperature = 0 }), TextGenerator.Generate(model, Prompt, hot with { TopP = 1e-6 }));
    }

    [Fact]
    public void A_sampler_draws_tokens_as_often_as_their_probabilities_say()
    {
        float[] logits = [0, MathF.Log(2), MathF.Log(5), float.NegativeInfinity];
        TokenSampler all = new(1, 1, 7);
        TokenSampler top = new(1, 0.8, 7); // 5/8 and 2/8 together are the first to reach 0.8
        int[] counts = new int[4];
        for (int i = 0; i < 16_000; i++)
        {
            counts[all.Choose(logits)]++;
            Assert.NotEqual(0, top.Choose(logits));
        }

        Assert.Equal(0, counts[3]);
        Assert.InRange(counts[0], 1_850, 2_150); // 2000 ± 3.6 standard deviations
        Assert.InRange(counts[1], 3_800, 4_200);
    }

    [Fact]
    public void A_cancelled_generation_stops_before_its_next_token()
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        using CancellationTokenSource source = new();
        int count = 0;
        Assert.Throws<OperationCanceledException>(() => TextGenerator.Generate(
            model, Prompt, new GenerationOptions(), _ => { if (++count == 2) source.Cancel(); }, source.Token));
        Assert.Equal(2, count);
    }

    public static TheoryData<int[], GenerationOptions> Mistakes() => new()
    {
        { [], new GenerationOptions() },
        { [1, 250], new GenerationOptions() },
        { [-1], new GenerationOptions() },
        { [1], new GenerationOptions { Temperature = -1 } },
        { [1], new GenerationOptions { TopP = 0 } },
        { [1], new GenerationOptions { MaxNewTokens = -1 } },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void Prompts_and_options_out_of_range_are_refused(int[] prompt, GenerationOptions options)
    {
        using CausalLM model = CausalLM.Load(Golden.Model("llama-tied"), new LoadOptions());
        Assert.Equal("LB0530", Assert.Throws<DiagnosticException>(() => TextGenerator.Generate(model, prompt, options)).Diagnostics[0].Code);
    }
}
