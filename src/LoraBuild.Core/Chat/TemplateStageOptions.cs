// What the stage `template` is told beside the recipe.
namespace LoraBuild.Core.Chat;

public sealed record TemplateStageOptions
{
    /// <summary>Threads that render and tokenise; the results are the same for any number.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>The trainer's plan; null: nothing is said about batches.</summary>
    public BatchPlanner? Plan { get; init; }

    public CancellationToken Cancellation { get; init; }
}
