// Which keys each stage reads, and how they are written for its fingerprint: a change here makes users' pipelines stale.
using LoraBuild.Core.Recipes;
using VerifyXunit;

namespace LoraBuild.Core.Tests.Recipes;

public sealed class CanonicalTextSnapshotTests
{
    [Fact]
    public Task The_keys_of_every_stage_at_their_defaults()
    {
        Recipe recipe = new() { Name = "example", Base = new BaseSection { Model = "org/name" } };

        return Verifier.Verify(string.Join('\n', Enum.GetValues<Stage>().Select(stage => $"[{stage}]\n{RecipeKeys.CanonicalText(recipe, stage)}")));
    }
}
