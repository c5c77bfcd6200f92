// The six stages, the fingerprints and the fetching of the base model as tasks. What they do stands in the worker; here are only names and parameters.
namespace LoraBuild.Tasks;

/// <summary>Sources of the recipe → dataset/.</summary>
public sealed class PrepareDataset : LoraBuildTask
{
    protected override string Verb => "prepare";
}

/// <summary>dataset/ and the base model's tokenizer → tokens/.</summary>
public sealed class ApplyChatTemplate : LoraBuildTask
{
    protected override string Verb => "template";
}

/// <summary>tokens/ and the base model → adapter/.</summary>
public sealed class TrainAdapter : LoraBuildTask
{
    /// <summary>Start over where an interrupted run left checkpoints.</summary>
    public bool NoResume { get; set; }

    protected override string Verb => "train";

    protected override void AddOptions(WorkerRequest request)
    {
        if (NoResume)
            request.Add("no-resume", "true");
    }
}

/// <summary>Held-out tokens, base and adapter → evaluation.json, samples.md.</summary>
public sealed class EvaluatePerplexity : LoraBuildTask
{
    protected override string Verb => "evaluate";
}

/// <summary>Base and adapter → merged/.</summary>
public sealed class MergeAndUnload : LoraBuildTask
{
    protected override string Verb => "merge";
}

/// <summary>merged/ → gguf/.</summary>
public sealed class ExportGguf : LoraBuildTask
{
    protected override string Verb => "export-gguf";
}

/// <summary>Brings the fingerprint files of a pipeline up to date; a file is written only when its content changes.</summary>
public sealed class ComputeFingerprints : LoraBuildTask
{
    protected override string Verb => "fingerprint";
}

/// <summary>Fetches the recipe's base model and tokenizer into the Hugging Face cache, where they are named by hub ids and are not there.</summary>
public sealed class FetchBaseModel : LoraBuildTask
{
    protected override string Verb => "fetch";

    /// <summary>A branch is taken as it was when it was fetched: a build asks the network for nothing that is there.</summary>
    protected override void AddOptions(WorkerRequest request) => request.Add("if-missing", "true");
}

/// <summary>Says what each stage would do and why; runs nothing.</summary>
public sealed class PlanPipeline : LoraBuildTask
{
    protected override string Verb => "plan";
}
