// What a model card says, as data: README.md of an adapter, of a merged model, of a model that was trained whole.
namespace LoraBuild.Core.Cards;

public enum CardKind
{
    /// <summary>A PEFT adapter.</summary>
    Adapter,

    /// <summary>A base model with an adapter added to its weights.</summary>
    Merged,

    /// <summary>All weights were trained.</summary>
    Full,
}

/// <param name="Name">The hub id, or a directory's own name.</param>
/// <param name="HubId">Null where it did not come from the hub.</param>
/// <param name="Revision">Branch, tag or commit as it was asked for.</param>
/// <param name="IsShapeOnly">Training began from random weights in this model's shape.</param>
public sealed record CardBase(string Name, string? HubId = null, string? Revision = null, string? Commit = null, CardLicense? License = null, bool IsShapeOnly = false);

/// <param name="Id">As the hub writes it: <c>apache-2.0</c>, <c>gemma</c>, <c>other</c>.</param>
/// <param name="Name">Of a license <c>other</c>.</param>
/// <param name="Link">An address, or a file beside the base model's card.</param>
public sealed record CardLicense(string Id, string? Name = null, string? Link = null);

/// <param name="TargetModules">Names, or the one expression that was given.</param>
public sealed record CardAdapter(int R, double LoraAlpha, double LoraDropout, bool UseDora, bool UseRslora, IReadOnlyList<string> TargetModules, IReadOnlyList<string> ModulesToSave);

/// <param name="Split">train, eval.</param>
/// <param name="DataSha256">Of <c>dataset/SPLIT.jsonl</c>; null where the data came as tokens.</param>
/// <param name="TokensSha256">Of <c>tokens/SPLIT.safetensors</c>.</param>
public sealed record CardSplit(string Split, int Documents, long Tokens, long TargetTokens, string? DataSha256, string TokensSha256);

/// <param name="Steps">Optimizer steps.</param>
/// <param name="FirstLoss">Of the first step.</param>
/// <param name="LastLoss">Of the last one.</param>
/// <param name="Best">The lowest loss on held-out documents, its step, and the perplexity then (of pairs the loss is that of preferring, and the perplexity of the better answers); null without evaluation.</param>
public sealed record CardTraining(int Steps, double Epochs, double FirstLoss, double LastLoss, (int Step, double Loss, double Perplexity)? Best);

/// <param name="Model">What was measured: base model, with adapter, merged.</param>
public sealed record CardMeasurement(string Model, double Loss, double Perplexity, long Tokens);

public sealed record ModelCard(CardKind Kind, CardBase Base)
{
    public const string FileName = "README.md";

    public CardAdapter? Adapter { get; init; }
    public IReadOnlyList<CardSplit> Data { get; init; } = [];
    public CardTraining? Training { get; init; }

    /// <summary>On the same held-out tokens.</summary>
    public IReadOnlyList<CardMeasurement> Evaluation { get; init; } = [];

    /// <summary>The recipe's keys that decided the weights, <c>key: value</c> each.</summary>
    public IReadOnlyList<string> Recipe { get; init; } = [];
}
